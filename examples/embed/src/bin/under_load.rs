//! A module is replaced while four threads call it, then by one that is broken, and then the rack goes back.
//!
//! What it prints is checked by the project's tests; how many calls there were is not.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use modrack::{Asked, Rack, Result, Swap, SwapFailed};

/// A component whose `version` is this number.
fn component(number: i64) -> String {
    format!(
        r#"(component
  (core module $m (func (export "version") (result i64) (i64.const {number})))
  (core instance $i (instantiate $m))
  (func (export "version") (result s64) (canon lift (core func $i "version"))))"#
    )
}

fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("modrack-under-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the module");
    let done = replace(&folder);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    done
}

fn replace(folder: &Path) -> Result<()> {
    let module = folder.join("version.wat");
    write(&module, &component(1));
    write(
        &folder.join("rack.yaml"),
        "rack: 1\nslots: { version: { use: ./version.wat, instances: pool(4) } }\n",
    );
    let rack = Rack::open(folder)?;
    // Bound once: it calls whatever fills the slot.
    let version = rack.slot("version")?.function::<(), i64>("version")?;
    let name = rack.slot("version")?.name().clone();
    let swap = Swap::reload(name.clone()).asked(Asked { who: "under_load".into(), why: "an edit".into() });
    println!("serves {}", version.call(())?);

    let ended = AtomicBool::new(false);
    let (answers, failures) = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (mut answers, mut failures) = (Vec::new(), 0);
                    while !ended.load(Ordering::Relaxed) {
                        match version.call(()) {
                            Ok(answer) if answers.last() != Some(&answer) => answers.push(answer),
                            Ok(_) => {}
                            Err(_) => failures += 1,
                        }
                    }
                    (answers, failures)
                })
            })
            .collect();
        write(&module, &component(2));
        let swapped = rack.swap(&swap).map_err(told);
        println!("swapped: {}", if swapped.is_ok() { "yes" } else { "no" });

        write(&module, "(component");
        if let Err(why) = rack.swap(&swap) {
            println!("broken: refused in step {}, serves {:?}", why.step.as_str(), version.call(()));
        }

        let back = rack.rollback(&name, Asked::default()).map_err(told);
        println!("rolled back: {}, serves {:?}", if back.is_ok() { "yes" } else { "no" }, version.call(()));
        ended.store(true, Ordering::Relaxed);
        let ended = callers.into_iter().map(|caller| caller.join().expect("no caller panics"));
        ended.fold((Vec::new(), 0), |(mut all, sum), (answers, failures)| {
            all.push(answers);
            (all, sum + failures)
        })
    });
    println!("failed calls: {failures}");
    // Each caller saw the first, the second and the first again, as far as it called meanwhile.
    let in_order = |seen: &Vec<i64>| matches!(&**seen, [] | [1] | [2] | [1, 2] | [2, 1] | [1, 2, 1]);
    println!("in order: {}", if answers.iter().all(in_order) { "yes" } else { "no" });
    for error in rack.stop() {
        eprintln!("{error}");
    }
    Ok(())
}

/// Says what a swap failed with.
fn told(why: SwapFailed) {
    eprintln!("{}: {}", why.step.as_str(), why.error);
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the file is written");
}
