"""Interval data from files as people have them: times, zones, numbers, CSV.

Everything ends as integers on one grid: `contracts.baseline.series.EnergySeries`. Nothing is
guessed where two readings are possible; the error names both.
"""
