//! Nothing: the modules are the examples of this package, one for each contract and one for all kinds of values.
