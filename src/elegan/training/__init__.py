"""The only loop, and what it needs: precision, averaged weights, ranks and checkpoints."""
