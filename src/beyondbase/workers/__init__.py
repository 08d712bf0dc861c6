"""Work in processes of their own, with another Python than this one where that is needed.

A program is a class that is made from the job of "prepare" and answers other requests by its methods; it may run in an
environment that has none of this book's dependencies. `bench` lets programs compete, `sampling` has vLLM draw samples.

| file | what is in it |
|---|---|
| `process` | the near end: start, tell, hear, end |
| `served` | the far end: import the program, answer requests, end with the near end |
| `vllm_environment` | vLLM's environment for CPUs, `.venv-vllm`: its packages, its settings |
"""
