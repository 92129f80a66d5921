//! Collectives along the axes of a mesh of devices, as operations between replicas.

use rjax_ir::{Aval, Binary, Collective, DType, Op, Result, Scalar, Shape, Tensor};
use rjax_stablehlo::mlir::{Attribute, Value};

use super::{Block, Exporter, int, unsupported};

impl Exporter<'_> {
    /// The place of an axis in the mesh: how many replicas apart its neighbours are, and its extent.
    fn axis(&self, op: &Op, name: &str) -> Result<(usize, usize)> {
        let mesh = &self.options.mesh;
        if !self.options.shardings.is_empty() {
            return Err(unsupported(
                op,
                "a program whose inputs are split is one for all devices, and has no axis between them",
            ));
        }
        match mesh.iter().position(|(known, _)| **known == *name) {
            Some(place) => Ok((mesh[place + 1..].iter().map(|(_, extent)| extent).product(), mesh[place].1)),
            None => Err(unsupported(op, &format!("axis {name} is not bound; the mesh of the export does not have it"))),
        }
    }

    /// The replicas that communicate along some axes: one row for each position along the others.
    fn groups(&self, op: &Op, axes: &[std::sync::Arc<str>]) -> Result<Tensor> {
        let replicas: usize = self.options.mesh.iter().map(|(_, extent)| extent).product();
        let mut members = vec![0usize];
        for axis in axes {
            let (stride, extent) = self.axis(op, axis)?;
            members = members.iter().flat_map(|m| (0..extent).map(move |i| m + i * stride)).collect();
        }
        let first = |replica: &usize| {
            axes.iter()
                .all(|axis| self.axis(op, axis).is_ok_and(|(stride, extent)| (replica / stride).is_multiple_of(extent)))
        };
        let rows: Vec<i64> =
            (0..replicas).filter(first).flat_map(|row| members.iter().map(move |m| (row + m) as i64)).collect();
        Ok(Tensor::from_vec([rows.len() / members.len(), members.len()], rows))
    }

    pub(super) fn collective(
        &mut self,
        block: &mut Block,
        op: &Op,
        collective: &Collective,
        operands: &[Value],
        results: &[Aval],
    ) -> Result<Vec<Value>> {
        let combiner = match collective {
            Collective::Psum { .. } => Binary::Add,
            Collective::Pmax { .. } => Binary::Max,
            Collective::Pmin { .. } => Binary::Min,
            Collective::AxisIndex { axis } => {
                let (stride, extent) = self.axis(op, axis)?;
                let scalar = Aval::scalar(DType::U32);
                let mut id = self.simple(block, "replica_id", &[], &scalar);
                for (operation, by) in [("divide", stride), ("remainder", extent)] {
                    let by = self.full(block, Scalar::from_i64(DType::U32, by as i64), &Shape::scalar());
                    id = self.simple(block, operation, &[id, by], &scalar);
                }
                return Ok(vec![self.convert(block, id, DType::I32)]);
            }
        };
        let groups = self.groups(op, collective.axes())?;
        let mut outputs = vec![];
        for (&x, result) in operands.iter().zip(results) {
            let body = self.combiner(combiner, result.dtype)?;
            let attributes = vec![
                ("replica_groups", Attribute::Dense(groups.clone())),
                ("channel_id", int(0)),
                ("use_global_device_ids", Attribute::Bool(false)),
            ];
            let result = std::slice::from_ref(result);
            outputs.extend(self.operation(block, "all_reduce", &[x], attributes, vec![body], result));
        }
        Ok(outputs)
    }
}
