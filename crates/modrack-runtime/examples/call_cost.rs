//! What a call through a slot costs over calling the function itself: `cargo run --release --example call_cost`.
//!
//! The two are measured in turns in one process, so that what the machine does besides meets both alike.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use modrack_core::plan::RackPlan;
use modrack_core::{Call, Instance, Result, SlotName, Value};
use modrack_runtime::{HostModule, Rack};

const ROUNDS: usize = 15;
const CALLS: u32 = 2_000_000;

fn main() -> Result<()> {
    let module = HostModule::new("same").function("same", None, |call| Ok(call.args.positional[0].clone()));
    let module = Arc::new(module);
    let direct = Instance::function(&*module, "same")?;
    let rack = Rack::open(RackPlan::empty(".".into()), Vec::new())?;
    let description = module.description();
    let slot = rack.register(SlotName::parse("same")?, module, description)?;
    let bound = slot.function(Some("same"))?;
    let service = slot.service();
    let pin = slot.pin()?;

    let args = [Value::Float(1.5)];
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        times[0].push(time(|| direct.call(Call::new(black_box(&args)))));
        times[1].push(time(|| bound.call(Call::new(black_box(&args)))));
        times[2].push(time(|| service.call(Some("same"), Call::new(black_box(&args)))));
        times[3].push(pin.within(|| time(|| bound.call(Call::new(black_box(&args))))));
    }
    let names = ["function itself", "through a bound function", "through a service", "bound, inside a pin"];
    for (name, mut times) in names.into_iter().zip(times) {
        times.sort();
        let nanos = times[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(CALLS);
        println!("{name:26} {nanos:6.1} ns a call");
    }
    Ok(())
}

fn time(mut call: impl FnMut() -> Result<Value>) -> Duration {
    let began = Instant::now();
    for _ in 0..CALLS {
        black_box(call().is_ok());
    }
    began.elapsed()
}
