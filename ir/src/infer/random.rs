//! Ops with random parameters on random operands, most of them ill-formed: the rules never panic, and what they accept the
//! interpreter computes, with results of the types they say.

use std::sync::Arc;

use crate::infer::infer;
use crate::*;

/// A small generator, so that every run tries the same cases.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn extent(&mut self) -> usize {
        if self.chance(1) { usize::MAX >> self.below(40) } else { self.pick(&[0, 1, 2, 2, 3, 3, 4]) }
    }

    fn list<T>(&mut self, len: usize, mut one: impl FnMut(&mut Random) -> T) -> Vec<T> {
        let len = if self.chance(5) { self.below(5) } else { len };
        (0..len).map(|_| one(self)).collect()
    }

    fn shape(&mut self, rank: usize) -> Shape {
        self.list(rank, Random::extent).into()
    }

    /// Some of the axes of a rank, in order; now and then out of range or repeated.
    fn axes(&mut self, rank: usize, percent: usize) -> Vec<usize> {
        let mut axes: Vec<usize> = (0..rank).filter(|_| self.chance(percent)).collect();
        if self.chance(4) {
            axes.push(self.below(5));
        }
        axes
    }

    fn step(&mut self) -> usize {
        if self.chance(2) { 0 } else { 1 + self.below(3) }
    }

    fn padding(&mut self) -> i64 {
        if self.chance(1) { self.pick(&[i64::MIN, i64::MAX]) } else { self.below(7) as i64 - 3 }
    }

    fn dtype(&mut self) -> DType {
        self.pick(&DType::ALL)
    }

    fn reducer(&mut self) -> Reducer {
        self.pick(Reducer::ALL)
    }

    fn window(&mut self, rank: usize) -> Window {
        Window {
            dimensions: self.list(rank, Random::step),
            strides: self.list(rank, Random::step),
            padding: self.list(rank, |r| (r.padding(), r.padding())),
            base_dilation: self.list(rank, Random::step),
            window_dilation: self.list(rank, Random::step),
        }
    }

    fn mode(&mut self) -> IndexMode {
        self.pick(&[IndexMode::Clip, IndexMode::FillOrDrop, IndexMode::PromiseInBounds])
    }
}

/// `(f32, f32) -> f32` by addition.
fn adder(dtype: DType) -> Arc<Program> {
    let mut b = Builder::new();
    let (x, y) = (b.input(Aval::scalar(dtype)), b.input(Aval::scalar(dtype)));
    let sum = b.add(x, y);
    Arc::new(b.finish(vec![sum]))
}

/// An op and operand types that it may accept.
fn random_case(r: &mut Random) -> (Op, Vec<Aval>) {
    let rank = r.below(4);
    let x = Aval { dtype: r.dtype(), shape: r.shape(rank) };
    let rank = x.rank();
    let integer = r.pick(&[DType::I32, DType::U8, DType::I64]);
    let index = Aval::scalar(integer);
    match r.below(27) {
        0 => (Op::Unary(r.pick(Unary::ALL)), vec![x]),
        1 => (Op::Binary(r.pick(Binary::ALL)), vec![x.clone(), x]),
        2 => (Op::Compare(r.pick(Compare::ALL)), vec![x.clone(), x]),
        3 => {
            let which =
                Aval { dtype: r.pick(&[DType::Bool, DType::I32]), shape: r.pick(&[Shape::scalar(), x.shape.clone()]) };
            (Op::Select, vec![which, x.clone(), x])
        }
        4 => (Op::Clamp, vec![Aval::scalar(x.dtype), x.clone(), x]),
        5 => (Op::Convert { dtype: r.dtype() }, vec![x]),
        6 => (Op::Bitcast { dtype: r.dtype() }, vec![x]),
        7 => (Op::ReducePrecision { exponent_bits: r.below(12) as u32, mantissa_bits: r.below(60) as u32 }, vec![x]),
        8 => (Op::IntegerPow { exponent: r.pick(&[-3, -1, 0, 1, 2, 7, i32::MIN, i32::MAX]) }, vec![x]),
        9 => {
            let dims = r.axes(4, 60);
            let shape = r.shape(4);
            let operand = dims.iter().map(|&d| if r.chance(20) { 1 } else { shape.get(d).copied().unwrap_or(2) });
            let operand = Aval { dtype: x.dtype, shape: operand.collect::<Vec<_>>().into() };
            (Op::BroadcastInDim { shape, dims }, vec![operand])
        }
        10 => (
            Op::Reshape {
                shape: r.pick(&[[x.shape.iter().fold(1, |n: usize, e| n.wrapping_mul(*e))].into(), [2, 3].into()]),
            },
            vec![x],
        ),
        11 => {
            let mut permutation: Vec<usize> = (0..rank).collect();
            permutation.rotate_left(if rank > 0 { r.below(rank) } else { 0 });
            (Op::Transpose { permutation: if r.chance(10) { r.axes(rank, 80) } else { permutation } }, vec![x])
        }
        12 => {
            let starts: Vec<usize> = x.shape.iter().map(|&e| r.below(e.min(9) + 1)).collect();
            let limits = starts.iter().map(|&s| s.saturating_add(r.below(3))).collect();
            (Op::Slice(Slice { starts, limits, strides: r.list(rank, Random::step) }), vec![x])
        }
        13 => {
            let padding = r.list(rank, |r| PadDim { low: r.padding(), high: r.padding(), interior: r.extent() });
            (Op::Pad { padding }, vec![x.clone(), Aval::scalar(x.dtype)])
        }
        14 => (Op::Concatenate { axis: r.below(4) }, vec![x.clone(), x.clone(), x]),
        15 => (Op::Reverse { axes: r.axes(rank, 50) }, vec![x]),
        16 => (Op::Iota { dtype: x.dtype, shape: x.shape, axis: r.below(4) }, vec![]),
        17 => {
            let sizes: Shape =
                x.shape.iter().map(|&e| if r.chance(5) { e.wrapping_add(1) } else { r.below(e.min(9) + 1) }).collect();
            let starts = vec![index; rank];
            if r.chance(50) {
                let update = x.with_shape(sizes);
                (Op::DynamicUpdateSlice, [vec![x, update], starts].concat())
            } else {
                (Op::DynamicSlice { sizes }, [vec![x], starts].concat())
            }
        }
        18 | 19 => {
            // Batching axes come first in operand and indices alike.
            let batching = if r.chance(30) { rank.min(1) } else { 0 };
            let operand_batching_dims: Vec<usize> = (0..batching).collect();
            let collapsed: Vec<usize> = (batching..rank).filter(|_| r.chance(50)).collect();
            let kept: Vec<usize> = (batching..rank).filter(|axis| !collapsed.contains(axis)).collect();
            let map: Vec<usize> = (batching..rank).filter(|_| r.chance(70)).collect();
            let batch: Vec<usize> = x.shape[..batching].iter().copied().chain(r.list(1, Random::extent)).collect();
            let indices = Aval::new(integer, [&batch[..], &[map.len()]].concat());
            let sizes: Vec<usize> = (0..rank)
                .map(|a| if kept.contains(&a) { r.below(x.shape[a].min(9) + 1) } else { x.shape[a].min(1) })
                .collect();
            let windows: Vec<usize> = (0..kept.len()).map(|i| batch.len() + i).collect();
            if r.chance(50) {
                let gather = Gather {
                    offset_dims: windows,
                    collapsed_slice_dims: collapsed,
                    operand_batching_dims,
                    start_indices_batching_dims: (0..batching).collect(),
                    start_index_map: map,
                    slice_sizes: sizes,
                    mode: r.mode(),
                    fill_value: None,
                    unique_indices: false,
                    indices_are_sorted: false,
                };
                (Op::Gather(gather), vec![x, indices])
            } else {
                let window = kept.iter().map(|&axis| sizes[axis]);
                let updates = x.with_shape(batch.iter().copied().chain(window).collect::<Vec<_>>());
                let scatter = Scatter {
                    combiner: r.pick(&[Combiner::Replace, Combiner::Add, Combiner::Mul, Combiner::Min, Combiner::Max]),
                    update_window_dims: windows,
                    inserted_window_dims: collapsed,
                    operand_batching_dims,
                    scatter_indices_batching_dims: (0..batching).collect(),
                    scatter_dims_to_operand_dims: map,
                    mode: r.mode(),
                    unique_indices: false,
                    indices_are_sorted: false,
                };
                (Op::Scatter(scatter), vec![x, indices, updates])
            }
        }
        20 => {
            let axes = r.axes(rank, 50);
            if r.chance(50) {
                (Op::Reduce { reducer: r.reducer(), axes }, vec![x])
            } else {
                (
                    Op::GeneralReduce { body: adder(DType::F32), axes },
                    vec![x.with_dtype(DType::F32), Aval::scalar(DType::F32)],
                )
            }
        }
        21 => {
            let kinds = [CumulativeKind::Sum, CumulativeKind::Prod, CumulativeKind::Max, CumulativeKind::LogSumExp];
            let axis = r.below(rank + 1);
            let op = match r.below(3) {
                0 => Op::Cumulative(Cumulative { kind: r.pick(&kinds), axis, reverse: r.chance(50) }),
                1 => Op::ArgReduce(ArgReduce { largest: r.chance(50), axis, index_dtype: r.dtype() }),
                _ => Op::TopK { k: r.below(4) },
            };
            (op, vec![x])
        }
        22 => {
            let other = r.shape(2);
            let rhs = x.with_shape(r.pick(&[x.shape.clone(), other]));
            let contracting = r.axes(rank, 40);
            let batch: Vec<usize> =
                r.axes(rank, 40).into_iter().filter(|a| !contracting.contains(a) || r.chance(5)).collect();
            let dot = DotGeneral {
                lhs_contracting: contracting.clone(),
                rhs_contracting: contracting,
                lhs_batch: batch.clone(),
                rhs_batch: batch,
                precision: Precision::Default,
                preferred: if r.chance(80) { x.dtype } else { r.dtype() },
            };
            (Op::DotGeneral(dot), vec![x, rhs])
        }
        23 => {
            let rank = 2 + r.below(3);
            let groups = r.pick(&[(1, 1), (1, 1), (2, 1), (1, 2)]);
            let (mut lhs, mut rhs) = (vec![2, 2 * groups.0], vec![2, 2]);
            lhs.extend((2..rank).map(|_| r.extent()));
            rhs.extend((2..rank).map(|_| r.extent()));
            let spec = |r: &mut Random| r.list(rank, |_| 0).iter().enumerate().map(|(i, _)| i).collect::<Vec<usize>>();
            let conv = Conv {
                lhs_spec: spec(r),
                rhs_spec: spec(r),
                out_spec: spec(r),
                window_strides: r.list(rank - 2, Random::step),
                padding: r.list(rank - 2, |r| (r.padding(), r.padding())),
                lhs_dilation: r.list(rank - 2, Random::step),
                rhs_dilation: r.list(rank - 2, Random::step),
                feature_group_count: groups.0,
                batch_group_count: groups.1,
                preferred: x.dtype,
            };
            (Op::Conv(conv), vec![x.with_shape(lhs), x.with_shape(rhs)])
        }
        24 => {
            let window = r.window(rank);
            match r.below(4) {
                0 => (Op::ReduceWindow { reducer: r.reducer(), window }, vec![x]),
                1 => (Op::SelectAndGatherAdd(SelectAndGatherAdd { largest: r.chance(50), window }), vec![x.clone(), x]),
                2 => {
                    let body = adder(DType::F32);
                    let operands = vec![x.with_dtype(DType::F32), Aval::scalar(DType::F32)];
                    (Op::GeneralReduceWindow { body, window }, operands)
                }
                _ => {
                    let Window { dimensions, strides, padding, .. } = window;
                    let scatter = SelectAndScatterAdd { largest: r.chance(50), dimensions, strides, padding };
                    let plain = Op::ReduceWindow { reducer: Reducer::Max, window: scatter.window() };
                    let source =
                        infer(&plain, std::slice::from_ref(&x)).map_or(x.clone(), |results| results[0].clone());
                    (Op::SelectAndScatterAdd(scatter), vec![source, x])
                }
            }
        }
        25 => {
            let others = x.with_dtype(r.dtype());
            (Op::Sort(Sort { axis: r.below(rank + 1), stable: true, num_keys: r.below(4) }), vec![x.clone(), others, x])
        }
        _ => {
            let length = r.below(5);
            let scan =
                Scan { body: adder(DType::F32), length, reverse: r.chance(50), num_consts: r.below(2), num_carry: 1 };
            (Op::Scan(scan), vec![Aval::scalar(DType::F32), Aval::new(DType::F32, [length])])
        }
    }
}

/// Values between -3 and 4, some of which are no indices.
fn random_tensor(r: &mut Random, aval: &Aval) -> Tensor {
    with_element!(aval.dtype, T => {
        let values = (0..aval.size()).map(|_| Scalar::from_f64(aval.dtype, r.below(15) as f64 / 2.0 - 3.0).get());
        Tensor::from_vec(aval.shape.clone(), values.collect::<Vec<T>>())
    })
}

#[test]
fn what_is_accepted_can_be_computed() {
    let mut r = Random(1);
    let mut accepted = std::collections::BTreeMap::new();
    for _ in 0..30_000 {
        let (op, mut inputs) = random_case(&mut r);
        if r.chance(3) {
            inputs.pop();
        }
        if r.chance(3) {
            inputs.push(Aval::scalar(DType::F32));
        }
        let Ok(outputs) = infer(&op, &inputs) else { continue };
        let elements = inputs.iter().chain(&outputs).map(Aval::size).fold(0, usize::saturating_add);
        if elements > 20_000 {
            continue;
        }
        let operands: Vec<Tensor> = inputs.iter().map(|aval| random_tensor(&mut r, aval)).collect();
        let results = eval_op(&op, &operands).unwrap_or_else(|e| panic!("{op:?} of {inputs:?}: {e}"));
        let found: Vec<Aval> = results.iter().map(Tensor::aval).collect();
        assert_eq!(found, outputs, "{op:?} of {inputs:?}");
        *accepted.entry(op.name()).or_insert(0) += 1;
    }
    // Else the generator tries nothing of interest.
    for op in
        ["pad", "gather", "scatter-add", "dot_general", "conv_general_dilated", "reduce_window_max", "sort", "scan"]
    {
        assert!(accepted.get(op).is_some_and(|&n| n > 20), "{op}: {accepted:?}");
    }
}
