"""What a provisioned board reads, signs and reaches, and what is probably wired wrongly."""
