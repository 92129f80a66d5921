//! Operations with static parameters that map to one op, up to the order of axes.

use rjax_ir::infer::infer;
use rjax_ir::{
    Atom, Aval, Combiner, Conv, DType, DotGeneral, Gather, IndexMode, Op, PadDim, Precision, Reducer, Result, Scalar,
    Scatter, SelectAndScatterAdd, Shape, Slice,
};

use super::{Importer, malformed, unsupported};
use crate::mlir::{Attribute, Operation};
use crate::selection::{scatter_selected, total_order_keys};

impl Importer<'_> {
    /// Imports a structured operation with one result; `None` if it is not one of them.
    pub(super) fn structured(&mut self, operation: &Operation) -> Result<Option<Atom>> {
        let name = operation.name.strip_prefix("stablehlo.").unwrap_or("");
        let op = match name {
            "constant" => return Ok(Some(self.constant(operation.dense("value")?.clone()))),
            "iota" => return self.iota(operation).map(Some),
            "broadcast_in_dim" => return self.broadcast_in_dim(operation).map(Some),
            "broadcast" => {
                let shape = self.result_aval(operation)?.shape;
                let added = operation.indices("broadcast_sizes")?.len();
                let dims = (added..shape.rank()).collect();
                Op::BroadcastInDim { shape, dims }
            }
            "reshape" => Op::Reshape { shape: self.result_aval(operation)?.shape },
            "transpose" => Op::Transpose { permutation: operation.indices("permutation")? },
            "slice" => Op::Slice(Slice {
                starts: operation.indices("start_indices")?,
                limits: operation.indices("limit_indices")?,
                strides: operation.indices("strides")?,
            }),
            "pad" => {
                let low = operation.ints("edge_padding_low")?;
                let high = operation.ints("edge_padding_high")?;
                let interior = operation.indices("interior_padding")?;
                if low.len() != high.len() || low.len() != interior.len() {
                    return Err(malformed(operation, "the paddings differ in length".into()));
                }
                let padding =
                    (0..low.len()).map(|i| PadDim { low: low[i], high: high[i], interior: interior[i] }).collect();
                Op::Pad { padding }
            }
            "concatenate" => Op::Concatenate { axis: operation.index("dimension")? },
            "reverse" => Op::Reverse { axes: operation.indices("dimensions")? },
            "dynamic_slice" => Op::DynamicSlice { sizes: operation.indices("slice_sizes")?.into() },
            "dynamic_update_slice" => Op::DynamicUpdateSlice,
            "dot_general" => Op::DotGeneral(self.dot_general(operation)?),
            "dot" => Op::DotGeneral(self.dot(operation)?),
            "convolution" => return self.convolution(operation).map(Some),
            "gather" => return self.gather(operation).map(Some),
            "scatter" => return self.scatter(operation).map(Some),
            "select_and_scatter" => return self.select_and_scatter(operation).map(Some),
            _ => return Ok(None),
        };
        let inputs = self.values(&operation.operands)?;
        Ok(Some(self.builder().try_emit(op, &inputs)?[0]))
    }

    fn iota(&mut self, operation: &Operation) -> Result<Atom> {
        let Aval { dtype, shape } = self.result_aval(operation)?;
        let axis = operation.index("iota_dimension")?;
        // The op has no bool form; counting to two in i32 and converting gives false, true.
        let counted = if dtype == DType::Bool { DType::I32 } else { dtype };
        let iota = self.builder().try_emit(Op::Iota { dtype: counted, shape, axis }, &[])?[0];
        Ok(self.builder().convert(iota, dtype))
    }

    /// StableHLO's dimensions may come in any order; the op's are increasing.
    fn broadcast_in_dim(&mut self, operation: &Operation) -> Result<Atom> {
        let shape = self.result_aval(operation)?.shape;
        let dims = operation.indices("broadcast_dimensions")?;
        let x = self.operand(operation)?;
        let mut order: Vec<usize> = (0..dims.len()).collect();
        order.sort_by_key(|&i| dims[i]);
        if dims.len() != self.aval(x).rank() {
            return Err(malformed(operation, "broadcast_dimensions needs one entry for each axis".into()));
        }
        let x = self.builder().transpose(x, &order);
        let dims: Vec<usize> = order.iter().map(|&i| dims[i]).collect();
        if self.aval(x).shape == shape && dims.iter().enumerate().all(|(i, &d)| i == d) {
            return Ok(x);
        }
        Ok(self.builder().try_emit(Op::BroadcastInDim { shape, dims }, &[x])?[0])
    }

    fn precision(&self, operation: &Operation) -> Precision {
        let Some(Attribute::Array(items)) = operation.attributes.get("precision_config") else {
            return Precision::Default;
        };
        let level = |item: &Attribute| {
            let Attribute::String(name) = item else { return Precision::Default };
            match name.as_str() {
                "HIGHEST" => Precision::Highest,
                "HIGH" => Precision::High,
                _ => Precision::Default,
            }
        };
        items.iter().map(level).max().unwrap_or_default()
    }

    fn dot_general(&mut self, operation: &Operation) -> Result<DotGeneral> {
        Ok(DotGeneral {
            lhs_contracting: operation.indices("lhs_contracting_dimensions")?,
            rhs_contracting: operation.indices("rhs_contracting_dimensions")?,
            lhs_batch: operation.indices_or("lhs_batching_dimensions", Vec::new)?,
            rhs_batch: operation.indices_or("rhs_batching_dimensions", Vec::new)?,
            precision: self.precision(operation),
            preferred: self.result_aval(operation)?.dtype,
        })
    }

    fn dot(&mut self, operation: &Operation) -> Result<DotGeneral> {
        let Some(&lhs) = operation.operands.first() else {
            return Err(malformed(operation, "expected two operands".into()));
        };
        let lhs = self.value_aval(lhs)?;
        Ok(DotGeneral {
            lhs_contracting: vec![lhs.rank().saturating_sub(1)],
            rhs_contracting: vec![0],
            lhs_batch: vec![],
            rhs_batch: vec![],
            precision: self.precision(operation),
            preferred: self.result_aval(operation)?.dtype,
        })
    }

    fn convolution(&mut self, operation: &Operation) -> Result<Atom> {
        let spec = |first: &str, second: &str, spatial: &str| -> Result<Vec<usize>> {
            let mut axes = vec![operation.index(first)?, operation.index(second)?];
            axes.extend(operation.indices(spatial)?);
            Ok(axes)
        };
        let rhs_spec =
            spec("kernel_output_feature_dimension", "kernel_input_feature_dimension", "kernel_spatial_dimensions")?;
        let spatial = rhs_spec.len() - 2;
        let conv = Conv {
            lhs_spec: spec("input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions")?,
            out_spec: spec("output_batch_dimension", "output_feature_dimension", "output_spatial_dimensions")?,
            window_strides: operation.indices_or("window_strides", || vec![1; spatial])?,
            padding: operation.pairs_or_zero("padding", spatial)?,
            lhs_dilation: operation.indices_or("lhs_dilation", || vec![1; spatial])?,
            rhs_dilation: operation.indices_or("rhs_dilation", || vec![1; spatial])?,
            feature_group_count: operation.index("feature_group_count")?,
            batch_group_count: operation.index("batch_group_count")?,
            preferred: self.result_aval(operation)?.dtype,
            rhs_spec: rhs_spec.clone(),
        };
        let inputs = self.values(&operation.operands)?;
        let &[lhs, mut rhs] = &inputs[..] else { return Err(malformed(operation, "expected two operands".into())) };
        if operation.attributes.contains_key("window_reversal") {
            let reversed = operation.ints("window_reversal")?;
            let flags = rhs_spec[2..].iter().zip(&reversed);
            let axes: Vec<usize> = flags.filter(|(_, reversed)| **reversed != 0).map(|(&axis, _)| axis).collect();
            if !axes.is_empty() {
                rhs = self.builder().try_emit(Op::Reverse { axes }, &[rhs])?[0];
            }
        }
        Ok(self.builder().try_emit(Op::Conv(conv), &[lhs, rhs])?[0])
    }

    /// The indices with the index vector on the last axis.
    fn index_vector_last(&mut self, operation: &Operation, indices: Atom, index_vector_dim: usize) -> Result<Atom> {
        let aval = self.aval(indices);
        let rank = aval.rank();
        if index_vector_dim > rank {
            return Err(malformed(operation, format!("index_vector_dim {index_vector_dim} of indices {aval}")));
        }
        let b = self.builder();
        Ok(if index_vector_dim == rank {
            b.expand_dims(indices, rank)
        } else {
            b.move_axis(indices, index_vector_dim, rank - 1)
        })
    }

    /// An axis of the indices, counted without the index vector's axis.
    fn batching_axes(axes: Vec<usize>, index_vector_dim: usize) -> Vec<usize> {
        axes.into_iter().map(|axis| if axis > index_vector_dim { axis - 1 } else { axis }).collect()
    }

    fn gather(&mut self, operation: &Operation) -> Result<Atom> {
        let index_vector_dim = operation.index("index_vector_dim")?;
        let gather = Gather {
            offset_dims: operation.indices("offset_dims")?,
            collapsed_slice_dims: operation.indices("collapsed_slice_dims")?,
            operand_batching_dims: operation.indices_or("operand_batching_dims", Vec::new)?,
            start_indices_batching_dims: Self::batching_axes(
                operation.indices_or("start_indices_batching_dims", Vec::new)?,
                index_vector_dim,
            ),
            start_index_map: operation.indices("start_index_map")?,
            slice_sizes: operation.indices("slice_sizes")?,
            mode: IndexMode::Clip,
            fill_value: None,
            unique_indices: false,
            indices_are_sorted: operation.flag("indices_are_sorted")?,
        };
        let inputs = self.values(&operation.operands)?;
        let &[x, indices] = &inputs[..] else { return Err(malformed(operation, "expected two operands".into())) };
        let indices = self.index_vector_last(operation, indices, index_vector_dim)?;
        let gather = Gather { mode: out_of_bounds(&gather, &self.aval(x)), ..gather };
        Ok(self.builder().try_emit(Op::Gather(gather), &[x, indices])?[0])
    }

    fn scatter(&mut self, operation: &Operation) -> Result<Atom> {
        let body = self.closed_region(operation, 0)?;
        let Some(combiner) = super::reducer::combiner(&body) else {
            return Err(unsupported(operation, "a combiner other than replace, add, multiply, minimum and maximum"));
        };
        let index_vector_dim = operation.index("index_vector_dim")?;
        let scatter = Scatter {
            combiner,
            update_window_dims: operation.indices("update_window_dims")?,
            inserted_window_dims: operation.indices("inserted_window_dims")?,
            operand_batching_dims: operation.indices_or("input_batching_dims", Vec::new)?,
            scatter_indices_batching_dims: Self::batching_axes(
                operation.indices_or("scatter_indices_batching_dims", Vec::new)?,
                index_vector_dim,
            ),
            scatter_dims_to_operand_dims: operation.indices("scatter_dims_to_operand_dims")?,
            mode: IndexMode::FillOrDrop,
            unique_indices: operation.flag("unique_indices")?,
            indices_are_sorted: operation.flag("indices_are_sorted")?,
        };
        let inputs = self.values(&operation.operands)?;
        let &[x, indices, updates] = &inputs[..] else {
            return Err(unsupported(operation, "a scatter of several operands"));
        };
        let indices = self.index_vector_last(operation, indices, index_vector_dim)?;
        Ok(self.builder().try_emit(Op::Scatter(scatter), &[x, indices, updates])?[0])
    }

    fn select_and_scatter(&mut self, operation: &Operation) -> Result<Atom> {
        let select = self.closed_region(operation, 0)?;
        let scatter = self.closed_region(operation, 1)?;
        let total = super::reducer::selects_largest_in_total_order(&select);
        let (Some(largest), Some(Combiner::Add)) =
            (total.or(super::reducer::selects_largest(&select)), super::reducer::combiner(&scatter))
        else {
            return Err(unsupported(operation, "a selection other than ge, gt, le, lt or a scatter other than add"));
        };
        let inputs = self.values(&operation.operands)?;
        let &[operand, source, init] = &inputs[..] else {
            return Err(malformed(operation, "expected three operands".into()));
        };
        let aval = self.aval(operand);
        let rank = aval.rank();
        let select = SelectAndScatterAdd {
            largest,
            dimensions: operation.indices_or("window_dimensions", || vec![1; rank])?,
            strides: operation.indices_or("window_strides", || vec![1; rank])?,
            padding: operation.pairs_or_zero("padding", rank)?,
        };
        let op = Op::SelectAndScatterAdd(select.clone());
        let scattered = if total.is_some() {
            // The op's own order knows only one NaN. What the op would refuse is refused here too.
            infer(&op, &[self.aval(source), aval.clone()])?;
            let b = self.builder();
            let keys = total_order_keys(b, operand);
            scatter_selected(b, &select, source, keys)
        } else {
            self.builder().try_emit(op, &[source, operand])?[0]
        };
        if init.literal() == Some(Scalar::zero(aval.dtype)) {
            return Ok(scattered);
        }
        self.check_init(init, aval.dtype)?;
        let init = self.builder().broadcast_scalar(init, &aval.shape);
        Ok(self.builder().add(scattered, init))
    }

    fn check_init(&self, init: Atom, dtype: DType) -> Result<()> {
        let found = self.aval(init);
        rjax_ir::ensure!(
            found == Aval::new(dtype, Shape::scalar()),
            Malformed,
            "stablehlo: expected an initial value of type {dtype}[], found {found}"
        );
        Ok(())
    }

    /// `x` combined with a rank-0 `init` unless that is the identity.
    pub(super) fn combine_init(&mut self, reducer: Reducer, x: Atom, init: Atom) -> Result<Atom> {
        let Aval { dtype, shape } = self.aval(x);
        self.check_init(init, dtype)?;
        if init.literal() == Some(reducer.identity(dtype)) {
            return Ok(x);
        }
        // -0.0 is an identity of float addition, too.
        if reducer == Reducer::Sum && init.literal() == Some(Scalar::from_f64(dtype, -0.0)) {
            return Ok(x);
        }
        let init = self.broadcast(init, &shape);
        Ok(self.builder().try_emit(Op::Binary(reducer.binary()), &[x, init])?[0])
    }

    fn broadcast(&mut self, x: Atom, shape: &Shape) -> Atom {
        self.builder().broadcast_scalar(x, shape)
    }
}

/// StableHLO moves windows into the operand, so a cotangent goes where its value came from. But `jax.lax.gather` called without a mode
/// promises indices in bounds, and JAX drops the cotangents where the promise is not kept. Its gathers look like all others, save one kind:
/// JAX's indexing and its batched slices have a start for every axis that they do not take whole.
fn out_of_bounds(gather: &Gather, x: &Aval) -> IndexMode {
    let without_start = |&axis: &usize| {
        gather.slice_sizes.get(axis).is_some_and(|&size| size != x.shape[axis])
            && !gather.start_index_map.contains(&axis)
            && !gather.operand_batching_dims.contains(&axis)
    };
    if (0..x.rank()).any(|axis| without_start(&axis)) { IndexMode::PromiseInBounds } else { IndexMode::Clip }
}
