//! Reductions, windows and sorts: operations with a region that combines or compares scalars.

use rjax_ir::{Aval, Binary, Compare, DType, Reducer, Result, Scalar, SelectAndScatterAdd, Shape, Sort, Unary, Window};
use rjax_stablehlo::mlir::{Attribute, Region, Value};

use super::{Block, Exporter, int, ints, pairs};

/// The dtype in which sums and products of a dtype are formed.
pub(super) fn accumulator(dtype: DType) -> DType {
    if matches!(dtype, DType::F16 | DType::BF16) { DType::F32 } else { dtype }
}

/// NaN with a sign, by which the total order puts it last or first of all.
fn signed_nan(dtype: DType, negative: bool) -> Scalar {
    let [bits, _] = Scalar::from_f64(dtype, f64::NAN).bits();
    let sign = 1 << (dtype.bits() - 1);
    Scalar::from_bits(dtype, [if negative { bits | sign } else { bits & !sign }, 0])
}

fn working_dtype(reducer: Reducer, dtype: DType) -> DType {
    if matches!(reducer, Reducer::Sum | Reducer::Prod) { accumulator(dtype) } else { dtype }
}

fn window_attributes(window: &Window) -> Vec<(&'static str, Attribute)> {
    let axes = |values: &[usize]| ints(values.iter().copied());
    vec![
        ("window_dimensions", axes(&window.dimensions)),
        ("window_strides", axes(&window.strides)),
        ("base_dilations", axes(&window.base_dilation)),
        ("window_dilations", axes(&window.window_dilation)),
        ("padding", pairs(&window.padding)),
    ]
}

impl Exporter<'_> {
    /// A region that applies one binary op to two scalars.
    pub(super) fn combiner(&mut self, op: Binary, dtype: DType) -> Result<Region> {
        let scalar = Aval::scalar(dtype);
        self.region(&[scalar.clone(), scalar.clone()], |e, block, arguments| {
            Ok(vec![e.binary(block, op, arguments, &scalar)])
        })
    }

    pub(super) fn reduce(
        &mut self,
        block: &mut Block,
        reducer: Reducer,
        axes: &[usize],
        x: Value,
        result: &Aval,
    ) -> Result<Value> {
        let dtype = working_dtype(reducer, result.dtype);
        let x = self.convert(block, x, dtype);
        let init = self.scalar(block, reducer.identity(dtype));
        let body = self.combiner(reducer.binary(), dtype)?;
        let reduced = self.general_reduce(block, body, axes, &[x, init], &[result.with_dtype(dtype)])[0];
        Ok(self.convert(block, reduced, result.dtype))
    }

    pub(super) fn general_reduce(
        &mut self,
        block: &mut Block,
        body: Region,
        axes: &[usize],
        operands: &[Value],
        results: &[Aval],
    ) -> Vec<Value> {
        let attributes = vec![("dimensions", ints(axes.iter().copied()))];
        self.operation(block, "reduce", operands, attributes, vec![body], results)
    }

    pub(super) fn reduce_window(
        &mut self,
        block: &mut Block,
        reducer: Reducer,
        window: &Window,
        x: Value,
        result: &Aval,
    ) -> Result<Value> {
        let dtype = working_dtype(reducer, result.dtype);
        let x = self.convert(block, x, dtype);
        if result.rank() == 0 {
            return Ok(self.convert(block, x, result.dtype));
        }
        let init = self.scalar(block, reducer.identity(dtype));
        let body = self.combiner(reducer.binary(), dtype)?;
        let reduced = self.general_reduce_window(block, body, window, &[x, init], &[result.with_dtype(dtype)])[0];
        Ok(self.convert(block, reduced, result.dtype))
    }

    pub(super) fn general_reduce_window(
        &mut self,
        block: &mut Block,
        body: Region,
        window: &Window,
        operands: &[Value],
        results: &[Aval],
    ) -> Vec<Value> {
        self.operation(block, "reduce_window", operands, window_attributes(window), vec![body], results)
    }

    /// Padding of floats is made explicit with the NaN that comes last in the total order, so that it is never selected where
    /// there is an element, and cut off again; an element that is NaN comes first. Padded integers are expanded before.
    pub(super) fn select_and_scatter(
        &mut self,
        block: &mut Block,
        select: &SelectAndScatterAdd,
        source: Value,
        operand: Value,
        result: &Aval,
    ) -> Result<Value> {
        let dtype = accumulator(result.dtype);
        let (source, operand) = (self.convert(block, source, dtype), self.convert(block, operand, dtype));
        let mut operand = self.rank_key(block, operand, select.largest);
        let padded = select.padding.iter().any(|&edges| edges != (0, 0));
        let zeros = vec![0i64; select.padding.len()];
        let edge = |sign: i64, high: bool| -> Attribute {
            ints(select.padding.iter().map(|&(low, h)| sign * if high { h } else { low }).collect::<Vec<i64>>())
        };
        let pad = |sign: i64| {
            vec![
                ("edge_padding_low", edge(sign, false)),
                ("edge_padding_high", edge(sign, true)),
                ("interior_padding", ints(zeros.clone())),
            ]
        };
        let mut shape = result.shape.to_vec();
        if padded {
            for (extent, &(low, high)) in shape.iter_mut().zip(&select.padding) {
                *extent = (*extent as i64 + low + high).max(0) as usize;
            }
            let last = self.scalar(block, signed_nan(dtype, select.largest));
            let aval = Aval::new(dtype, shape.clone());
            operand = self.operation(block, "pad", &[operand, last], pad(1), vec![], &[aval])[0];
        }
        let scalar = Aval::scalar(dtype);
        let better = self.region(&[scalar.clone(), scalar], |e, block, arguments| {
            let (x, y) = (arguments[0], arguments[1]);
            Ok(vec![match (dtype.is_float(), select.largest) {
                (true, true) => e.compare(block, Compare::LeTo, y, x),
                (true, false) => e.compare(block, Compare::LeTo, x, y),
                (false, true) => e.compare(block, Compare::Ge, x, y),
                (false, false) => e.compare(block, Compare::Le, x, y),
            }])
        })?;
        let add = self.combiner(Binary::Add, dtype)?;
        let init = self.scalar(block, Scalar::zero(dtype));
        let attributes = vec![
            ("window_dimensions", ints(select.dimensions.iter().copied())),
            ("window_strides", ints(select.strides.iter().copied())),
            ("padding", pairs(&vec![(0, 0); select.dimensions.len()])),
        ];
        let aval = Aval::new(dtype, shape);
        let operands = [operand, source, init];
        let mut y = self.operation(block, "select_and_scatter", &operands, attributes, vec![better, add], &[aval])[0];
        if padded {
            let aval = result.with_dtype(dtype);
            y = self.operation(block, "pad", &[y, init], pad(-1), vec![], &[aval])[0];
        }
        Ok(self.convert(block, y, result.dtype))
    }

    /// A float as it is ordered: NaN of either sign first (the greatest or the least), -0 as 0.
    fn rank_key(&mut self, block: &mut Block, x: Value, largest: bool) -> Value {
        let aval = self.aval(x);
        if !aval.dtype.is_float() {
            return x;
        }
        let zero = self.full(block, Scalar::zero(aval.dtype), &aval.shape);
        let nan = self.full(block, signed_nan(aval.dtype, !largest), &aval.shape);
        let (is_zero, is_nan) = (self.compare(block, Compare::Eq, x, zero), self.compare(block, Compare::Ne, x, x));
        let x = self.simple(block, "select", &[is_zero, zero, x], &aval);
        self.simple(block, "select", &[is_nan, nan, x], &aval)
    }

    /// The parts by which two scalars are ordered, foremost first.
    fn sort_keys(&mut self, block: &mut Block, x: Value) -> Vec<Value> {
        let aval = self.aval(x);
        let parts = if aval.dtype.is_complex() {
            let part = Aval::scalar(aval.dtype.real());
            [Unary::Real, Unary::Imag].map(|op| self.unary(block, op, x, &part)).to_vec()
        } else {
            vec![x]
        };
        parts.into_iter().map(|part| self.rank_key(block, part, true)).collect()
    }

    /// Whether the first of two scalars comes before the second; floats in their total order.
    fn before(&mut self, block: &mut Block, x: Value, y: Value) -> Value {
        let op = if self.aval(x).dtype.is_float() { Compare::LtTo } else { Compare::Lt };
        self.compare(block, op, x, y)
    }

    pub(super) fn sort(
        &mut self,
        block: &mut Block,
        sort: &Sort,
        operands: &[Value],
        inputs: &[Aval],
        results: &[Aval],
    ) -> Result<Vec<Value>> {
        let arguments: Vec<Aval> =
            inputs.iter().flat_map(|aval| [Aval::scalar(aval.dtype), Aval::scalar(aval.dtype)]).collect();
        let comparator = self.region(&arguments, |e, block, arguments| {
            let mut pairs = vec![];
            for operand in arguments.chunks_exact(2).take(sort.num_keys) {
                let (x, y) = (e.sort_keys(block, operand[0]), e.sort_keys(block, operand[1]));
                pairs.extend(x.into_iter().zip(y));
            }
            // From the last key to the first: less here, or equal here and less after.
            let bool = Aval::scalar(DType::Bool);
            let (x, y) = pairs.pop().expect("there is at least one key");
            let mut less = e.before(block, x, y);
            for (x, y) in pairs.into_iter().rev() {
                let total = e.aval(x).dtype.is_float();
                let here = e.before(block, x, y);
                let equal = e.compare(block, if total { Compare::EqTo } else { Compare::Eq }, x, y);
                let after = e.simple(block, "and", &[equal, less], &bool);
                less = e.simple(block, "or", &[here, after], &bool);
            }
            Ok(vec![less])
        })?;
        let attributes = vec![("dimension", int(sort.axis)), ("is_stable", Attribute::Bool(sort.stable))];
        Ok(self.operation(block, "sort", operands, attributes, vec![comparator], results))
    }

    /// A stable descending sort with positions, cut off.
    pub(super) fn top_k(&mut self, block: &mut Block, k: usize, x: Value, results: &[Aval]) -> Result<Vec<Value>> {
        let aval = self.aval(x);
        let (axis, positions) = (aval.rank() - 1, aval.with_dtype(DType::I32));
        let attributes = vec![("iota_dimension", int(axis))];
        let iota = self.operation(block, "iota", &[], attributes, vec![], std::slice::from_ref(&positions))[0];
        let scalar = Aval::scalar(aval.dtype);
        let position = Aval::scalar(DType::I32);
        let arguments = [scalar.clone(), scalar, position.clone(), position];
        let comparator = self.region(&arguments, |e, block, arguments| {
            let (x, y) = (e.rank_key(block, arguments[0], true), e.rank_key(block, arguments[1], true));
            Ok(vec![e.before(block, y, x)])
        })?;
        let attributes = vec![("dimension", int(axis)), ("is_stable", Attribute::Bool(true))];
        let sorted =
            self.operation(block, "sort", &[x, iota], attributes, vec![comparator], &[aval.clone(), positions]);
        let limits: Shape = aval.shape.with_extent(axis, k);
        let cut = |e: &mut Self, block: &mut Block, x: Value, result: &Aval| {
            let attributes = vec![
                ("start_indices", ints(vec![0i64; limits.rank()])),
                ("limit_indices", ints(limits.iter().copied())),
                ("strides", ints(vec![1i64; limits.rank()])),
            ];
            e.operation(block, "slice", &[x], attributes, vec![], std::slice::from_ref(result))[0]
        };
        Ok(vec![cut(self, block, sorted[0], &results[0]), cut(self, block, sorted[1], &results[1])])
    }
}
