"""One file a command: the only place that knows every room.  The command line and Python both end here."""
