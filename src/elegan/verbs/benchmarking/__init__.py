"""How `elegan benchmark` measures: cases, the processes that play them, the ceilings and the figures."""
