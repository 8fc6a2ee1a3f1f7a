//! Stages run one call at a time, with values: for modules whose backend has no better way, and for objects
//! of the program that holds the rack.
//!
//! A row is whole or not at all: when one call gives several rows and one of them does not fit, none of them
//! goes on. What comes out of `finish` goes through the stages that follow.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use modrack_core::{
    Call, Cancel, Chain, Code, Error, Fed, Function, Map, OnError, Place, Rejected, Result, RowPlace,
    StageCounts, StageRun, StageSeat, Takes, Value,
};
use modrack_runtime::Pin;

use crate::rows::{self, Misfit, Shape};
use crate::source::{BATCH_ROWS, filtered};
use crate::{conform, error, module};

/// A stage as it is to be run here.
pub(crate) struct Seated {
    /// What the pipeline asks of it.
    pub(crate) seat: StageSeat,
    /// What fills it.
    pub(crate) pin: Pin,
}

/// Neighbouring stages, run call by call.
pub(crate) struct CallByCall {
    stages: Vec<Stage>,
    cancel: Cancel,
}

struct Stage {
    seated: Seated,
    takes: Takes,
    finish: Option<Arc<dyn Function>>,
    /// The columns that come out, once they are settled.
    out: Option<SchemaRef>,
    /// What waits for the whole input.
    held: VecDeque<Flow>,
    /// Rows that wait; those of the first flow that are done are not among them.
    held_rows: usize,
    /// Rows of the first flow that are done.
    done_rows: usize,
}

/// A batch on its way from stage to stage, with the number of each row in its source.
#[derive(Clone)]
struct Flow {
    batch: RecordBatch,
    numbers: Arc<[u64]>,
    place: RowPlace,
}

/// What one step of a stage gave.
#[derive(Default)]
struct Step {
    flows: Vec<Flow>,
    rejected: Vec<Rejected>,
    counts: StageCounts,
}

impl CallByCall {
    /// Prepares the stages.
    pub(crate) fn new(stages: Vec<Seated>, cancel: Cancel) -> Self {
        let stages = stages
            .into_iter()
            .map(|seated| {
                let StageSeat { instance, function, function_name, spec } = &seated.seat;
                let takes = spec.takes.unwrap_or_else(|| {
                    let column = spec.column.is_some();
                    module::takes(seated.pin.description(), function_name, function.signature(), column)
                });
                let has_finish =
                    function_name != "finish" && instance.names().iter().any(|name| name == "finish");
                let finish = if has_finish { instance.function("finish").ok() } else { None };
                Stage {
                    takes,
                    finish,
                    out: spec.schema.clone(),
                    held: VecDeque::new(),
                    held_rows: 0,
                    done_rows: 0,
                    seated,
                }
            })
            .collect();
        Self { stages, cancel }
    }

    /// Takes what comes out before stage `at` through that stage and all that follow.
    fn push(&mut self, at: usize, flow: Flow, fed: &mut Fed) -> Result<()> {
        let Some(stage) = self.stages.get_mut(at) else {
            fed.batches.push(flow.batch);
            return Ok(());
        };
        let step = stage.take(at, flow, &self.cancel)?;
        self.pass(at, step, fed)
    }

    fn pass(&mut self, at: usize, step: Step, fed: &mut Fed) -> Result<()> {
        let counts = &mut fed.counts[at];
        counts.rows_in += step.counts.rows_in;
        counts.rows_out += step.counts.rows_out;
        counts.skipped += step.counts.skipped;
        counts.quarantined += step.counts.quarantined;
        counts.time += step.counts.time;
        fed.rejected.extend(step.rejected);
        step.flows.into_iter().try_for_each(|flow| self.push(at + 1, flow, fed))
    }

    /// Runs `run` with all that comes of it given up when the run is, also what is read from streams that calls gave.
    fn bounded(&mut self, run: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let cancel = self.cancel.clone();
        Chain::bounded(&Call { cancel: Some(&cancel), ..Call::default() }, || run(self))
    }

    fn fed(&self) -> Fed {
        Fed { counts: vec![StageCounts::default(); self.stages.len()], ..Fed::default() }
    }
}

impl StageRun for CallByCall {
    fn feed(&mut self, batch: RecordBatch, place: RowPlace) -> Result<Fed> {
        let mut fed = self.fed();
        let numbers = (0..batch.num_rows() as u64).map(|index| place.first_row + index).collect();
        self.bounded(|this| this.push(0, Flow { batch, numbers, place }, &mut fed))?;
        Ok(fed)
    }

    fn finish(&mut self) -> Result<Fed> {
        let mut fed = self.fed();
        self.bounded(|this| {
            for at in 0..this.stages.len() {
                let step = this.stages[at].end(at, &this.cancel)?;
                this.pass(at, step, &mut fed)?;
            }
            Ok(())
        })?;
        Ok(fed)
    }

    fn keeps(&self) -> bool {
        let keeps =
            |stage: &Stage| stage.finish.is_some() || !matches!(stage.takes, Takes::Row | Takes::Batch);
        self.stages.iter().any(keeps)
    }
}

impl Stage {
    fn take(&mut self, at: usize, flow: Flow, cancel: &Cancel) -> Result<Step> {
        let mut step = Step::default();
        step.counts.rows_in = flow.batch.num_rows() as u64;
        let began = Instant::now();
        match self.takes {
            Takes::Row => self.each_row(at, &flow, cancel, &mut step)?,
            Takes::Batch => self.at_once(at, &flow, cancel, &mut step)?,
            Takes::Column | Takes::Rows | Takes::Table | Takes::Pandas | Takes::Polars => {
                self.held_rows += flow.batch.num_rows();
                self.held.push_back(flow);
                if let Some(batch) = self.seated.seat.spec.batch.filter(|&batch| batch > 0) {
                    while self.held_rows >= batch {
                        let piece = self.cut(batch)?;
                        self.at_once(at, &piece, cancel, &mut step)?;
                    }
                }
            }
        }
        step.counts.time = began.elapsed();
        Ok(step)
    }

    fn end(&mut self, at: usize, cancel: &Cancel) -> Result<Step> {
        let mut step = Step::default();
        let began = Instant::now();
        if self.held_rows > 0 {
            let rest = self.cut(self.held_rows)?;
            self.at_once(at, &rest, cancel, &mut step)?;
        }
        if let Some(finish) = self.finish.clone() {
            let given = self.call("finish", &*finish, &[], cancel)?;
            let nowhere = Flow {
                batch: RecordBatch::new_empty(Arc::new(Schema::empty())),
                numbers: Arc::new([]),
                place: RowPlace { source: "finish".into(), first_row: 0, first_line: None },
            };
            self.tables(at, given, &nowhere, &mut step)?;
        }
        step.counts.time = began.elapsed();
        Ok(step)
    }

    /// The first `rows` of what is held, as one.
    fn cut(&mut self, rows: usize) -> Result<Flow> {
        let schema = self.held.front().map_or_else(|| Arc::new(Schema::empty()), |flow| flow.batch.schema());
        let place = self.held.front().map(|flow| flow.place.clone()).unwrap_or_default();
        let mut batches = Vec::new();
        let mut numbers = Vec::with_capacity(rows);
        while numbers.len() < rows
            && let Some(flow) = self.held.front()
        {
            let from = self.done_rows;
            let take = (rows - numbers.len()).min(flow.batch.num_rows() - from);
            batches.push(flow.batch.slice(from, take));
            numbers.extend_from_slice(&flow.numbers[from..from + take]);
            self.done_rows += take;
            if self.done_rows == flow.batch.num_rows() {
                self.held.pop_front();
                self.done_rows = 0;
            }
        }
        self.held_rows -= numbers.len();
        let batch = arrow_select::concat::concat_batches(&schema, &batches)
            .map_err(|why| error::arrow("joining the whole input", &why))?;
        Ok(Flow { batch, numbers: numbers.into(), place })
    }

    fn call(
        &self,
        name: &str,
        function: &dyn Function,
        positional: &[Value],
        cancel: &Cancel,
    ) -> Result<Value> {
        if cancel.is_cancelled() {
            return Err(error::interrupted());
        }
        self.seated.pin.run(name, function, Call { cancel: Some(cancel), ..Call::new(positional) })
    }

    fn each_row(&mut self, at: usize, flow: &Flow, cancel: &Cancel, step: &mut Step) -> Result<()> {
        let function = self.seated.seat.function.clone();
        let mut maps: Vec<Map> = Vec::new();
        let mut origins: Vec<usize> = Vec::new();
        for (index, row) in
            rows::rows_of(&flow.batch).map_err(|why| self.seated.pin.blame(why))?.into_iter().enumerate()
        {
            let name = &self.seated.seat.function_name;
            let given = self.call(name, &*function, &[Value::from(row)], cancel);
            let mut out = Vec::new();
            match given.and_then(|given| rows_in(given, &mut out).map_err(|why| self.seated.pin.blame(why))) {
                Ok(()) => {
                    origins.resize(origins.len() + out.len(), index);
                    maps.append(&mut out);
                }
                Err(why) => self.reject(at, flow, index, why, step)?,
            }
        }
        self.settle(at, maps, origins, flow, step)
    }

    /// Makes rows a batch of the columns that come out; origins say which row that came in each is of.
    fn settle(
        &mut self,
        at: usize,
        maps: Vec<Map>,
        origins: Vec<usize>,
        flow: &Flow,
        step: &mut Step,
    ) -> Result<()> {
        if maps.is_empty() {
            return Ok(());
        }
        let mut bad: Vec<(usize, Error)> = Vec::new();
        let mut tell = |index: usize, why: Misfit| bad.push((index, misfit(why)));
        let views: Vec<&Map> = maps.iter().collect();
        let schema = match &self.out {
            Some(schema) => schema.clone(),
            None => {
                let mut shape = Shape::default();
                for (index, map) in views.iter().enumerate() {
                    if let Err(why) = shape.add(map) {
                        tell(index, why);
                    }
                }
                shape.schema(&views, Some(flow.batch.schema_ref()))
            }
        };
        let built = rows::build(&views, &schema)?;
        built.misfits.into_iter().for_each(|(index, why)| tell(index, why));
        self.out = Some(schema);
        self.emit(at, built.batch, &origins, bad, flow, step)
    }

    /// Sends a batch on without the rows that failed; a row that came in fails or goes on as a whole.
    fn emit(
        &mut self,
        at: usize,
        batch: RecordBatch,
        origins: &[usize],
        bad: Vec<(usize, Error)>,
        flow: &Flow,
        step: &mut Step,
    ) -> Result<()> {
        let mut failed = HashSet::new();
        for (index, why) in bad {
            // Of the faults of one call the first is told.
            if failed.insert(origins[index]) {
                self.reject(at, flow, origins[index], why, step)?;
            }
        }
        let keep: Vec<bool> = origins.iter().map(|origin| !failed.contains(origin)).collect();
        let batch = filtered(&batch, &keep)?;
        let numbers: Arc<[u64]> = origins
            .iter()
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .map(|(&origin, _)| flow.numbers.get(origin).copied().unwrap_or(0))
            .collect();
        step.counts.rows_out += batch.num_rows() as u64;
        let mut from = 0;
        while from < batch.num_rows() {
            let many = BATCH_ROWS.min(batch.num_rows() - from);
            step.flows.push(Flow {
                batch: batch.slice(from, many),
                numbers: numbers[from..from + many].into(),
                place: flow.place.clone(),
            });
            from += many;
        }
        Ok(())
    }

    /// Calls the function once for all rows; a failure is one of all of them.
    fn at_once(&mut self, at: usize, flow: &Flow, cancel: &Cancel, step: &mut Step) -> Result<()> {
        let function = self.seated.seat.function.clone();
        let before = (step.flows.len(), step.counts);
        let done = self.argument(flow).and_then(|argument| {
            let given = self.call(&self.seated.seat.function_name, &*function, &[argument], cancel)?;
            if self.takes == Takes::Column {
                let batch = self.with_column(flow, given)?;
                return self.conformed(at, batch, flow, step);
            }
            self.tables(at, given, flow, step)
        });
        match done {
            Err(why) if flow.batch.num_rows() > 0 && why.code() != Code::Interrupted => {
                let time = step.counts.time;
                step.flows.truncate(before.0);
                step.counts = StageCounts { time, ..before.1 };
                self.reject_all(at, flow, self.seated.pin.blame(why), step)
            }
            other => other,
        }
    }

    fn argument(&self, flow: &Flow) -> Result<Value> {
        Ok(match self.takes {
            Takes::Row | Takes::Rows => {
                Value::List(rows::rows_of(&flow.batch)?.into_iter().map(Value::from).collect())
            }
            Takes::Column => {
                let (_, column) = self.column(flow)?;
                Value::List(rows::values(&column)?)
            }
            Takes::Batch | Takes::Table | Takes::Pandas | Takes::Polars => Value::from(flow.batch.clone()),
        })
    }

    fn column(&self, flow: &Flow) -> Result<(usize, ArrayRef)> {
        let spec = &self.seated.seat.spec;
        let name = spec.column.as_deref().unwrap_or_default();
        let names: Vec<&str> =
            flow.batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        match names.iter().position(|known| *known == name) {
            Some(index) => Ok((index, flow.batch.column(index).clone())),
            None => Err(error::unknown_column(name, &names, &format!("What comes to stage `{}`", spec.name))),
        }
    }

    /// The batch with the column that the function gave in place of the one it took.
    fn with_column(&self, flow: &Flow, given: Value) -> Result<RecordBatch> {
        let (index, column) = self.column(flow)?;
        let wrong = |got: String| {
            let why = format!(
                "The stage gave {got} where a list of {} should come",
                error::counted(column.len() as u64, "value")
            );
            Error::new(Code::WrongResult, why).hint("Give one value for each that came, in the same order")
        };
        let values = match plain(given)? {
            Value::List(values) if values.len() == column.len() => values,
            Value::List(values) => {
                return Err(wrong(format!("a list of {}", error::counted(values.len() as u64, "value"))));
            }
            other => return Err(wrong(rows::shown(&other))),
        };
        let name = flow.batch.schema_ref().field(index).name().clone();
        let rows: Vec<Map> =
            values.into_iter().map(|value| Map::from_iter([(name.as_str().into(), value)])).collect();
        let views: Vec<&Map> = rows.iter().collect();
        let settled = self.out.as_ref().and_then(|schema| schema.field_with_name(&name).ok()).cloned();
        let field = match settled {
            Some(field) => field,
            None => {
                let mut shape = Shape::default();
                for row in &views {
                    shape.add(row).map_err(misfit)?;
                }
                let came = flow.batch.schema();
                let found = shape.schema(&views, Some(&came));
                Field::new(&name, found.field(0).data_type().clone(), true)
            }
        };
        let made = rows::build(&views, &Arc::new(Schema::new(vec![field.clone()])))?;
        if let Some((_, why)) = made.misfits.into_iter().next() {
            return Err(misfit(why));
        }
        let mut fields: Vec<Arc<Field>> = flow.batch.schema_ref().fields().iter().cloned().collect();
        let mut columns = flow.batch.columns().to_vec();
        fields[index] = Arc::new(field);
        columns[index] = made.batch.column(0).clone();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .map_err(|why| error::arrow("putting a column in its place", &why))
    }

    /// What a function that is called for many rows gives: tables, or rows, or a mixture that comes bit by bit.
    fn tables(&mut self, at: usize, given: Value, flow: &Flow, step: &mut Step) -> Result<()> {
        let mut maps = Vec::new();
        let mut left = vec![given];
        let mut iterators: Vec<modrack_core::Items> = Vec::new();
        loop {
            let Some(value) = left.pop() else {
                let Some(items) = iterators.last_mut() else { break };
                match items.next() {
                    Some(item) => left.push(item.map_err(|why| self.seated.pin.blame(why))?),
                    None => drop(iterators.pop()),
                }
                continue;
            };
            match value {
                Value::Null => {}
                Value::Map(map) => maps.push(*map),
                Value::List(items) => left.extend(items.into_iter().rev()),
                Value::Table(table) => {
                    self.flush(at, &mut maps, flow, step)?;
                    self.conformed(at, (*table).clone(), flow, step)?;
                }
                Value::Foreign(object) => match object.items() {
                    Some(items) => iterators.push(items),
                    None => left.push(plain(Value::Foreign(object))?),
                },
                other => {
                    let why =
                        format!("The stage gave {} where rows or a table should come", rows::shown(&other));
                    return Err(Error::new(Code::WrongResult, why)
                        .hint("Return a table, a list of mappings, or nothing"));
                }
            }
        }
        self.flush(at, &mut maps, flow, step)
    }

    fn flush(&mut self, at: usize, maps: &mut Vec<Map>, flow: &Flow, step: &mut Step) -> Result<()> {
        let maps = std::mem::take(maps);
        let origins = self.origins(maps.len(), flow);
        self.settle(at, maps, origins, flow, step)
    }

    /// Which row that came in each row that goes out is of, where as many go out; else the first.
    fn origins(&self, many: usize, flow: &Flow) -> Vec<usize> {
        if many == flow.numbers.len() { (0..many).collect() } else { vec![0; many] }
    }

    fn conformed(&mut self, at: usize, batch: RecordBatch, flow: &Flow, step: &mut Step) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let schema = self.out.get_or_insert_with(|| batch.schema()).clone();
        let made = conform::conform(&batch, &schema)?;
        if made.misfits.is_empty() {
            let origins = self.origins(batch.num_rows(), flow);
            return self.emit(at, made.batch, &origins, Vec::new(), flow, step);
        }
        // These rows are the stage's own: they fail as they came out of it, each for itself.
        let own = Flow {
            batch: batch.clone(),
            numbers: self
                .origins(batch.num_rows(), flow)
                .iter()
                .map(|&row| flow.numbers.get(row).copied().unwrap_or(0))
                .collect(),
            place: flow.place.clone(),
        };
        let origins: Vec<usize> = (0..batch.num_rows()).collect();
        self.emit(at, made.batch, &origins, made.misfits, &own, step)
    }

    /// Does what is decided about one row that failed.
    fn reject(&self, at: usize, flow: &Flow, index: usize, why: Error, step: &mut Step) -> Result<()> {
        let number = flow.numbers.get(index).copied().unwrap_or(0);
        let rows = (index < flow.batch.num_rows()).then(|| flow.batch.slice(index, 1));
        self.rejected(at, flow, number, rows, why, step)
    }

    fn reject_all(&self, at: usize, flow: &Flow, why: Error, step: &mut Step) -> Result<()> {
        let number = flow.numbers.first().copied().unwrap_or(0);
        self.rejected(at, flow, number, Some(flow.batch.clone()), why, step)
    }

    fn rejected(
        &self,
        at: usize,
        flow: &Flow,
        row: u64,
        rows: Option<RecordBatch>,
        why: Error,
        step: &mut Step,
    ) -> Result<()> {
        if why.code() == Code::Interrupted {
            return Err(why);
        }
        let line = flow.place.first_line.and_then(|line| (line + row).checked_sub(flow.place.first_row));
        let many = rows.as_ref().map_or(1, |rows| rows.num_rows() as u64).max(1);
        let why = self.seated.pin.blame(why);
        let why = match why.place_of() {
            Some(_) => why,
            None => why.place(Place {
                file: (&*flow.place.source).into(),
                line: line.filter(|_| many == 1).and_then(|line| usize::try_from(line).ok()),
                ..Place::default()
            }),
        };
        match self.seated.seat.spec.on_errors.decide(&why) {
            OnError::Stop => return Err(why),
            OnError::Skip => step.counts.skipped += many,
            OnError::Quarantine(to) => {
                step.counts.quarantined += many;
                step.rejected.push(Rejected {
                    stage: at,
                    rows,
                    shown: None,
                    row,
                    source: flow.place.source.clone(),
                    to: to.clone(),
                    error: why,
                });
            }
        }
        Ok(())
    }
}

/// The rows that a call for one row gave: none, one, or several.
fn rows_in(given: Value, out: &mut Vec<Map>) -> Result<()> {
    match given {
        Value::Null => Ok(()),
        Value::Map(map) => {
            out.push(*map);
            Ok(())
        }
        Value::List(items) => items.into_iter().try_for_each(|item| rows_in(item, out)),
        Value::Table(table) => {
            out.extend(rows::rows_of(&table)?);
            Ok(())
        }
        Value::Foreign(object) => match object.items() {
            Some(mut items) => items.try_for_each(|item| rows_in(item?, out)),
            None => rows_in(plain(Value::Foreign(object))?, out),
        },
        other => Err(Error::new(
            Code::WrongResult,
            format!("The stage gave {} where a row should come", rows::shown(&other)),
        )
        .hint("Return a mapping, a list of mappings, or nothing to drop the row")),
    }
}

/// A foreign object as data; what cannot be data is an error, not a circle.
fn plain(value: Value) -> Result<Value> {
    let Value::Foreign(object) = value else { return Ok(value) };
    match object.to_value()? {
        Value::Foreign(object) => Err(Error::new(
            Code::WrongResult,
            format!("The stage gave an object of class `{}`, which is no data", object.type_name()),
        )
        .hint("Return a mapping, a list, a table, or nothing")),
        value => Ok(value),
    }
}

fn misfit(why: Misfit) -> Error {
    error::misfit(why.message)
}
