//! Ops with static parameters.

use rjax_ir::{Aval, Combiner, DType, Op, PadDim, Precision, Result, Scatter, Shape};
use rjax_stablehlo::mlir::{Attribute, Value};

use super::{Block, Exporter, int, ints, name, pairs};

fn precision(level: Precision) -> (&'static str, Attribute) {
    let level = match level {
        Precision::Default => "DEFAULT",
        Precision::High => "HIGH",
        Precision::Highest => "HIGHEST",
    };
    ("precision_config", Attribute::Array(vec![name(level), name(level)]))
}

fn axes(values: &[usize]) -> Attribute {
    ints(values.iter().copied())
}

fn pad(padding: &[PadDim]) -> Vec<(&'static str, Attribute)> {
    vec![
        ("edge_padding_low", ints(padding.iter().map(|p| p.low))),
        ("edge_padding_high", ints(padding.iter().map(|p| p.high))),
        ("interior_padding", ints(padding.iter().map(|p| p.interior))),
    ]
}

impl Exporter<'_> {
    pub(super) fn structured(&mut self, block: &mut Block, op: &Op, operands: &[Value], result: &Aval) -> Value {
        let (operation, attributes) = match op {
            Op::ReducePrecision { exponent_bits, mantissa_bits } => (
                "reduce_precision",
                vec![("exponent_bits", int(*exponent_bits)), ("mantissa_bits", int(*mantissa_bits))],
            ),
            Op::BroadcastInDim { dims, .. } => ("broadcast_in_dim", vec![("broadcast_dimensions", axes(dims))]),
            Op::Reshape { .. } => ("reshape", vec![]),
            Op::Transpose { permutation } => ("transpose", vec![("permutation", axes(permutation))]),
            Op::Slice(slice) => (
                "slice",
                vec![
                    ("start_indices", axes(&slice.starts)),
                    ("limit_indices", axes(&slice.limits)),
                    ("strides", axes(&slice.strides)),
                ],
            ),
            Op::Pad { padding } => ("pad", pad(padding)),
            Op::Concatenate { axis } => ("concatenate", vec![("dimension", int(*axis))]),
            Op::Reverse { axes: reversed } => ("reverse", vec![("dimensions", axes(reversed))]),
            Op::Iota { axis, .. } => ("iota", vec![("iota_dimension", int(*axis))]),
            Op::DotGeneral(dot) => (
                "dot_general",
                vec![
                    ("lhs_batching_dimensions", axes(&dot.lhs_batch)),
                    ("rhs_batching_dimensions", axes(&dot.rhs_batch)),
                    ("lhs_contracting_dimensions", axes(&dot.lhs_contracting)),
                    ("rhs_contracting_dimensions", axes(&dot.rhs_contracting)),
                    precision(dot.precision),
                ],
            ),
            Op::Conv(conv) => (
                "convolution",
                vec![
                    ("input_batch_dimension", int(conv.lhs_spec[0])),
                    ("input_feature_dimension", int(conv.lhs_spec[1])),
                    ("input_spatial_dimensions", axes(&conv.lhs_spec[2..])),
                    ("kernel_output_feature_dimension", int(conv.rhs_spec[0])),
                    ("kernel_input_feature_dimension", int(conv.rhs_spec[1])),
                    ("kernel_spatial_dimensions", axes(&conv.rhs_spec[2..])),
                    ("output_batch_dimension", int(conv.out_spec[0])),
                    ("output_feature_dimension", int(conv.out_spec[1])),
                    ("output_spatial_dimensions", axes(&conv.out_spec[2..])),
                    ("window_strides", axes(&conv.window_strides)),
                    ("padding", pairs(&conv.padding)),
                    ("lhs_dilation", axes(&conv.lhs_dilation)),
                    ("rhs_dilation", axes(&conv.rhs_dilation)),
                    ("feature_group_count", int(conv.feature_group_count)),
                    ("batch_group_count", int(conv.batch_group_count)),
                    precision(Precision::Default),
                ],
            ),
            Op::Gather(gather) => (
                "gather",
                vec![
                    ("offset_dims", axes(&gather.offset_dims)),
                    ("collapsed_slice_dims", axes(&gather.collapsed_slice_dims)),
                    ("operand_batching_dims", axes(&gather.operand_batching_dims)),
                    ("start_indices_batching_dims", axes(&gather.start_indices_batching_dims)),
                    ("start_index_map", axes(&gather.start_index_map)),
                    ("index_vector_dim", int(self.aval(operands[1]).rank() - 1)),
                    ("slice_sizes", axes(&gather.slice_sizes)),
                    ("indices_are_sorted", Attribute::Bool(gather.indices_are_sorted)),
                ],
            ),
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Clamp
            | Op::RegularizedIncompleteBeta
            | Op::Convert { .. }
            | Op::Bitcast { .. }
            | Op::IntegerPow { .. }
            | Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Scatter(_)
            | Op::Reduce { .. }
            | Op::GeneralReduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::ReduceWindow { .. }
            | Op::GeneralReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Sort(_)
            | Op::TopK { .. }
            | Op::Threefry2x32
            | Op::Cond { .. }
            | Op::While(_)
            | Op::Scan(_)
            | Op::Call { .. }
            | Op::CustomJvp(_)
            | Op::CustomVjp(_)
            | Op::CustomLinear(_)
            | Op::LinearSolve(_)
            | Op::Root(_)
            | Op::Remat(_)
            | Op::DebugPrint(_)
            | Op::Linalg(_)
            | Op::Fft(_)
            | Op::Collective(_) => unreachable!("{} has an arm of its own", op.name()),
        };
        self.operation(block, operation, operands, attributes, vec![], std::slice::from_ref(result))[0]
    }

    /// Starts of one type that can hold any position; StableHLO wants them all alike.
    fn starts(&mut self, block: &mut Block, starts: &[Value]) -> Vec<Value> {
        let dtypes: Vec<DType> = starts.iter().map(|&start| self.aval(start).dtype).collect();
        let wide = |dtype: &DType| matches!(dtype, DType::I32 | DType::I64 | DType::U32 | DType::U64);
        if dtypes.iter().all(|dtype| *dtype == dtypes[0] && wide(dtype)) {
            return starts.to_vec();
        }
        let small = dtypes.iter().all(|dtype| dtype.bits() < 32 || *dtype == DType::I32);
        let common = if small { DType::I32 } else { DType::I64 };
        starts.iter().map(|&start| self.convert(block, start, common)).collect()
    }

    pub(super) fn dynamic_slice(
        &mut self,
        block: &mut Block,
        operands: &[Value],
        sizes: &Shape,
        result: &Aval,
    ) -> Value {
        if sizes.rank() == 0 {
            return operands[0];
        }
        let mut given = vec![operands[0]];
        given.extend(self.starts(block, &operands[1..]));
        let attributes = vec![("slice_sizes", axes(sizes))];
        self.operation(block, "dynamic_slice", &given, attributes, vec![], std::slice::from_ref(result))[0]
    }

    pub(super) fn dynamic_update_slice(&mut self, block: &mut Block, operands: &[Value], result: &Aval) -> Value {
        if result.rank() == 0 {
            return operands[1];
        }
        let mut given = operands[..2].to_vec();
        given.extend(self.starts(block, &operands[2..]));
        self.simple(block, "dynamic_update_slice", &given, result)
    }

    /// Sums and products of narrow floats are combined in `f32` and rounded once.
    pub(super) fn scatter(
        &mut self,
        block: &mut Block,
        scatter: &Scatter,
        operands: &[Value],
        result: &Aval,
    ) -> Result<Value> {
        let sums = matches!(scatter.combiner, Combiner::Add | Combiner::Mul);
        let dtype = if sums { super::reduce::accumulator(result.dtype) } else { result.dtype };
        let x = self.convert(block, operands[0], dtype);
        let updates = self.convert(block, operands[2], dtype);
        let scalar = Aval::scalar(dtype);
        let body = self.region(&[scalar.clone(), scalar.clone()], |e, block, arguments| {
            Ok(vec![match scatter.combiner.binary() {
                Some(op) => e.binary(block, op, arguments, &scalar),
                None => arguments[1],
            }])
        })?;
        let attributes = vec![
            ("update_window_dims", axes(&scatter.update_window_dims)),
            ("inserted_window_dims", axes(&scatter.inserted_window_dims)),
            ("input_batching_dims", axes(&scatter.operand_batching_dims)),
            ("scatter_indices_batching_dims", axes(&scatter.scatter_indices_batching_dims)),
            ("scatter_dims_to_operand_dims", axes(&scatter.scatter_dims_to_operand_dims)),
            ("index_vector_dim", int(self.aval(operands[1]).rank() - 1)),
            ("indices_are_sorted", Attribute::Bool(scatter.indices_are_sorted)),
            ("unique_indices", Attribute::Bool(scatter.unique_indices)),
        ];
        let given = [x, operands[1], updates];
        let wide = self.operation(block, "scatter", &given, attributes, vec![body], &[result.with_dtype(dtype)])[0];
        Ok(self.convert(block, wide, result.dtype))
    }
}
