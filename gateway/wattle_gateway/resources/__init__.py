"""What the gateway may use of its machine, how much it uses, and what it does when that is short.

machine, cgroup -> usage -> levels -> steps           (gateway/RESOURCES.md)
disk history -> growth -> the day on which the disk is full
"""
