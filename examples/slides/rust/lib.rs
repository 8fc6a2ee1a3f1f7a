//! Nothing of its own: the modules are the examples of this package.
