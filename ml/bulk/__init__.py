"""Classifying whole catalogues on Dask: many files in, Parquet or any other sink out.

inputs            which files there are
csv_ranges        cutting a CSV between records
parquet_songs     cutting, reading and checking Parquet
tasks             what workers do: plan a file, classify a part of one, put an output part together
run               keeps workers busy and gives out results as they come, a few at a time
report            what was found in each file
duplicates        which rows lose to a later one with the same track id
parquet_output    a folder of Parquet that is whole or not there
cluster           processes of our own, or somebody's Dask scheduler
"""
