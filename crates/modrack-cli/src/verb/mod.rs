pub(crate) mod new;
