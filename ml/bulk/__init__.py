"""Classify whole catalogues on Dask, from many files to Parquet or another sink.

inputs          finds the files and splits them
run             keeps local processes or a Dask cluster busy with parts, and yields results in input order
report          findings per file and the summary of a run
parquet_output  writes a folder of Parquet files, completely or not at all

Dask runs the tasks and repeats those of dead workers; fsspec and pyarrow read and write the files. Dask's
`read_csv` and `read_parquet` are not used: the former splits rows at line breaks inside cells, and both lose
the position of invalid cells.
"""
