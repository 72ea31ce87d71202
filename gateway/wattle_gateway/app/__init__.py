"""The running gateway: the only place that knows all its parts."""
