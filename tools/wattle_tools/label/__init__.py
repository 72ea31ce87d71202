"""Labels for boards: who they are, for people and for cameras."""
