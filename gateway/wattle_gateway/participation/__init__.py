"""A party's policy answers events without a person: file, decision, record, and who acts on it."""
