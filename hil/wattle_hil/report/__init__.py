"""What a run showed, as text, JSON and one HTML page that needs nothing else."""
