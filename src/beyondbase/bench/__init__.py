"""The benchmark of the book's engine: sampling, GRPO steps and training beside other people's code, in one run.

Every contestant computes in a process of its own (`workers`), is loaded and warmed up once, and takes its turn in
rounds (`rounds`), so that a busy machine slows all of them alike. Rates are medians of the rounds. The parts: what is
measured (`sections`), who competes (`ours`, `transformers_peers`, `trl_peer`, `vllm_peer`), what no implementation can
beat (`bound`), what comes out (`results`, `summary`).

Left out: quality of what is learnt (the claims measure that), start-up times, several GPUs.
"""
