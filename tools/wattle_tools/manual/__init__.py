"""The manual page and the completion of shells, made of the grammar itself."""
