"""Many boards by a table: jobs from a CSV file, results as CSV and JUnit."""
