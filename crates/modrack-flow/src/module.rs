//! Modules that stand at an end or in the middle of a pipeline: which slot it is, and what it takes.

use modrack_core::plan::{FormatOptions, SlotPlan, SlotRef};
use modrack_core::{Description, Result, Signature, SlotName, Takes, Type, Use};
use modrack_runtime::{Rack, Slot};

/// The slot of a source or sink. One that is described in place has params of its own, and is a slot apart
/// for each set of them.
///
/// # Errors
/// A slot that is not there, or a `use` text that cannot be understood.
pub(crate) fn slot(rack: &Rack, slot: &SlotRef, options: &FormatOptions, end: &str) -> Result<Slot> {
    let SlotRef::Inline(text) = slot else { return rack.slot_ref(slot) };
    if options.params.is_empty() {
        return rack.slot_ref(slot);
    }
    let mut plan = SlotPlan::undeclared(text, Use::parse(text)?, rack.plan().defaults.clone());
    let params = crate::source::jsontext::written(&options.params.clone().into());
    plan.name = SlotName::undeclared(&format!("{end}: {text} {params}"));
    plan.params = options.params.clone();
    rack.declare(plan)
}

/// What a function takes, where the pipeline does not say: what the manifest says, else its annotation, else
/// a row, or a column where one is named.
pub(crate) fn takes(
    description: &Description,
    function: &str,
    own: Option<&Signature>,
    column: bool,
) -> Takes {
    if let Some(takes) = description.manifest.takes {
        return takes;
    }
    let read = description.function(function).map(|function| &function.signature);
    let ty = own.or(read).and_then(|signature| signature.params.first()).map(|param| &param.ty);
    match ty {
        Some(ty) if is_table(ty) => Takes::Batch,
        _ if column => Takes::Column,
        Some(Type::List(_)) => Takes::Rows,
        _ => Takes::Row,
    }
}

/// Whether a type is that of a table, by whatever name its language has for it.
pub(crate) fn is_table(ty: &Type) -> bool {
    match ty {
        Type::Table => true,
        Type::Class(name) => matches!(name.rsplit('.').next(), Some("RecordBatch" | "Table")),
        Type::Option(inner) => is_table(inner),
        _ => false,
    }
}
