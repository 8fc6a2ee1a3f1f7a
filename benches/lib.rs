//! Nothing: the benchmarks are in `benches/`, and are run by `cargo xtask bench`.
