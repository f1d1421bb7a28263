"""Pure functions on tensors: what each side descends, and the penalties on the discriminator's slopes."""
