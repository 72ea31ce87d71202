"""Early warnings: one list of alarms, raised once, repeated sparingly, cleared by themselves."""
