"""A meter's day in minutes: the production firmware on real MicroPython under simulated time.

`python -m wattle_testkit.soak` runs it (`make soak`). The firmware runs in a process of its own,
in a board's heap (tests/soak/programs); everything around it is here: the line with its metering
device, brokers and gateways, the power, and the faults of all of them, drawn from a seed. What
the meter said is judged at the end by rules that share no code with the firmware.
"""
