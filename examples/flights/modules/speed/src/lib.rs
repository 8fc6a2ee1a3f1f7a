//! The speed of each flight, worked out for a whole batch at a time: what `speed.py` beside it does, in Rust.

/// The speed of each flight.
#[modrack::module(contract = "transform@1", takes = "batch")]
pub mod speed {
    use std::sync::Arc;

    use arrow_select::filter::filter_record_batch;
    use modrack::arrow_array::cast::AsArray;
    use modrack::arrow_array::types::Int64Type;
    use modrack::arrow_array::{Array, BooleanArray, Float64Array, PrimitiveArray};
    use modrack::arrow_schema::{DataType, Field, Schema};
    use modrack::{RecordBatch, Result, bail};

    /// Flights that arrived, with `mph` added.
    pub fn transform(batch: RecordBatch) -> Result<RecordBatch> {
        let flown = match whole(&batch, "air_time")?.nulls() {
            Some(nulls) => filter_record_batch(&batch, &BooleanArray::new(nulls.inner().clone(), None))?,
            None => batch,
        };
        let (distance, air_time) = (whole(&flown, "distance")?, whole(&flown, "air_time")?);
        let pairs = distance.values().iter().zip(air_time.values());
        let mph: Vec<f64> = pairs.map(|(miles, minutes)| speed(*miles, *minutes)).collect();
        let mph = Float64Array::new(mph.into(), distance.nulls().cloned());
        let fields = flown.schema();
        let added = Arc::new(Field::new("mph", DataType::Float64, true));
        let schema = Schema::new(fields.fields().iter().cloned().chain([added]).collect::<Vec<_>>());
        let columns = flown.columns().iter().cloned().chain([Arc::new(mph) as _]).collect();
        Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
    }

    /// Miles in an hour, to the tenth.
    fn speed(miles: i64, minutes: i64) -> f64 {
        (miles as f64 / (minutes as f64 / 60.0) * 10.0).round_ties_even() / 10.0
    }

    /// A column of whole numbers.
    fn whole<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a PrimitiveArray<Int64Type>> {
        let Some(column) = batch.column_by_name(name) else { bail!("There is no column `{name}`") };
        let Some(whole) = column.as_primitive_opt() else {
            bail!("The column `{name}` must have whole numbers, but has `{}`", column.data_type())
        };
        Ok(whole)
    }
}
