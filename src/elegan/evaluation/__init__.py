"""The referee: what tells whether a GAN worked.

``features`` turns images into vectors, with a network trained on the training split alone · ``fidelity``,
``modes``, ``memorisation``, ``conditioning`` and ``health`` measure · ``judge`` asks them all at the end,
or a few at a tick · ``verdict`` says in a word and a sentence what follows · ``report`` writes it down.
"""
