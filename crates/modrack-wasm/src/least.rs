//! The memory that a component begins with: known from its bytes, so that a limit below it is told before it starts.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentTypeRef, Encoding, Instance,
    Parser, Payload, Result,
};

/// The bytes of a page, where a memory does not say otherwise.
const PAGE: u32 = 16;

/// The bytes of all memories that the component's own instances begin with. What instances of components within it
/// have comes on top.
///
/// # Errors
/// Bytes that are no component.
pub(crate) fn least_memory(bytes: &[u8]) -> Result<u64> {
    let mut within: Vec<Encoding> = Vec::new();
    // Of each core module, by its index.
    let mut modules: Vec<u64> = Vec::new();
    let mut sum = 0_u64;
    for payload in Parser::new(0).parse_all(bytes) {
        let is_outermost = within.len() == 1;
        match payload? {
            Payload::Version { encoding, .. } => within.push(encoding),
            Payload::End(_) => drop(within.pop()),
            Payload::MemorySection(memories) if within.len() == 2 && within[1] == Encoding::Module => {
                for memory in memories {
                    let memory = memory?;
                    let page = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(PAGE)).unwrap_or(u64::MAX);
                    if let Some(module) = modules.last_mut() {
                        *module = module.saturating_add(memory.initial.saturating_mul(page));
                    }
                }
            }
            Payload::ModuleSection { .. } if is_outermost => modules.push(0),
            // Modules from elsewhere have an index too.
            Payload::ComponentAliasSection(aliases) if is_outermost => {
                for alias in aliases {
                    let is_module = matches!(
                        alias?,
                        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. }
                            | ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. }
                    );
                    modules.extend(is_module.then_some(0));
                }
            }
            Payload::ComponentImportSection(imports) if is_outermost => {
                for import in imports {
                    modules.extend(matches!(import?.ty, ComponentTypeRef::Module(_)).then_some(0));
                }
            }
            Payload::InstanceSection(instances) if is_outermost => {
                for instance in instances {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        let begins = modules.get(module_index as usize).copied().unwrap_or_default();
                        sum = sum.saturating_add(begins);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_as_often_as_they_are_made() {
        const PAGES: u64 = 1 << 16;
        let two = "(core module $two (memory 2)) (core module $none)";
        for (text, pages) in [
            (String::new(), 0),
            (two.to_owned(), 0),
            (format!("{two} (core instance (instantiate $two))"), 2),
            (format!("{two} (core instance (instantiate $none)) (core instance (instantiate $two))"), 2),
            (format!("{two} (core instance (instantiate $two)) (core instance (instantiate $two))"), 4),
            // A memory that is imported is counted where it is made.
            (
                r#"(core module $a (memory (export "m") 3)) (core module $b (import "a" "m" (memory 1)))
                   (core instance $i (instantiate $a)) (core instance (instantiate $b (with "a" (instance $i))))"#
                    .to_owned(),
                3,
            ),
            // Those of a component within it are made when that is, which is not looked at.
            (format!("(component $inner {two} (core instance (instantiate $two))) (instance (instantiate $inner))"), 0),
            (format!("(component {two} (component (alias outer 1 $two (core module $it)) (core module $own (memory 5)) (core instance (instantiate $own))))"), 0),
            (r#"(import "m" (core module $m)) (core module $own (memory 5)) (core instance (instantiate $m)) (core instance (instantiate $own))"#.to_owned(), 5),
        ] {
            let bytes = wat::parse_str(format!("(component {text})")).expect("text of a component");
            assert_eq!(least_memory(&bytes).expect("a component"), pages * PAGES, "{text}");
        }
    }
}
