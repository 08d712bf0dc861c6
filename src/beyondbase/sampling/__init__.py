"""Samples of real models: benchmarks, prompts, backends, and a store that survives whatever stops it.

| file | what is in it |
|---|---|
| `benchmarks`, `loading` | one table of benchmarks; rows of `datasets` or of one's own files as problems |
| `pictures` | references to the pictures of vision benchmarks |
| `prompts` | versioned prompts with their sources |
| `blocks`, `claims`, `store` | units of work by ids, who works on which, Parquet shards |
| `text`, `transformers_backend`, `vllm_backend`, `vllm_engine` | text to ids and back; the engines |
| `grades` | calling the graders |
| `run` | filling a store |
| `options`, `command` | the command line |
| `cluster` | the same in jobs of Slurm |
"""
