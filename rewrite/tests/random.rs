//! Random programs compute the same before and after simplification, cost no more, and come out the same every time.

use rjax_ir::{
    Atom, Aval, Binary, Builder, Compare, DType, Op, PadDim, Program, Reducer, Scalar, Shape, Slice, Tensor, Unary,
    eval, verify, with_element,
};
use rjax_rewrite::{Options, Tier, cost, simplify};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as usize % bound
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

const EXTENTS: [usize; 6] = [0, 1, 1, 2, 3, 3];

fn shape(random: &mut Random) -> Shape {
    let rank = random.below(4);
    (0..rank).map(|_| random.pick(&EXTENTS)).collect()
}

/// A random permutation of axes.
fn permutation(rank: usize, random: &mut Random) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..rank).collect();
    for i in (1..rank).rev() {
        axes.swap(i, random.below(i + 1));
    }
    axes
}

/// A value of the pool with this type, or a constant of that type.
fn operand(b: &mut Builder, pool: &[Atom], aval: &Aval, random: &mut Random) -> Atom {
    let same: Vec<Atom> = pool.iter().copied().filter(|&x| b.aval(x) == *aval).collect();
    if !same.is_empty() && random.below(4) > 0 {
        return random.pick(&same);
    }
    let value = random.pick(&[0.0, -0.0, 1.0, -1.0, 2.0, 3.0]);
    b.full(&aval.shape, Scalar::from_f64(aval.dtype, value))
}

/// Adds one random equation on values of the pool; `smooth` leaves out ops that jump or blow up.
fn grow(b: &mut Builder, pool: &mut Vec<Atom>, smooth: bool, random: &mut Random) {
    let x = random.pick(pool);
    let aval = b.aval(x);
    let (dtype, rank) = (aval.dtype, aval.rank());
    let axes: Vec<usize> = (0..rank).filter(|_| random.below(2) == 0).collect();
    let y = match random.below(18) {
        0 | 1 if dtype != DType::Bool => {
            let ops: &[Unary] = if smooth {
                &[Unary::Neg, Unary::Sin, Unary::Tanh]
            } else if dtype.is_float() {
                &[Unary::Neg, Unary::Abs, Unary::Sign, Unary::Floor, Unary::Sin, Unary::Tanh]
            } else {
                &[Unary::Neg, Unary::Abs, Unary::Not, Unary::Sign]
            };
            b.unary(random.pick(ops), x)
        }
        2..=5 if dtype != DType::Bool => {
            let ops: &[Binary] = if smooth {
                &[Binary::Add, Binary::Add, Binary::Sub, Binary::Mul, Binary::Mul, Binary::Max]
            } else if dtype.is_float() {
                &[
                    Binary::Add,
                    Binary::Add,
                    Binary::Sub,
                    Binary::Mul,
                    Binary::Mul,
                    Binary::Max,
                    Binary::Min,
                    Binary::Div,
                ]
            } else {
                &[
                    Binary::Add,
                    Binary::Sub,
                    Binary::Mul,
                    Binary::And,
                    Binary::Or,
                    Binary::Xor,
                    Binary::Max,
                    Binary::ShiftLeft,
                ]
            };
            let y = operand(b, pool, &aval, random);
            let (x, y) = if random.below(2) == 0 { (x, y) } else { (y, x) };
            b.emit1(Op::Binary(random.pick(ops)), &[x, y])
        }
        0..=5 => b.unary(Unary::Not, x),
        6 if dtype != DType::Bool && !smooth => {
            let y = operand(b, pool, &aval, random);
            b.emit1(Op::Compare(random.pick(Compare::ALL)), &[x, y])
        }
        7 => {
            let which = operand(b, pool, &aval.with_dtype(DType::Bool), random);
            let y = operand(b, pool, &aval, random);
            b.emit1(Op::Select, &[which, x, y])
        }
        6 | 8 if !smooth => {
            let to = random.pick(&[DType::F32, DType::I32, DType::I8, DType::Bool, DType::BF16, DType::F64]);
            b.emit1(Op::Convert { dtype: to }, &[x])
        }
        9 => b.emit1(Op::Transpose { permutation: permutation(rank, random) }, &[x]),
        10 => {
            let mut sizes = aval.shape.to_vec();
            match random.below(3) {
                0 => sizes = vec![aval.size()],
                1 => sizes.insert(random.below(rank + 1), 1),
                _ => sizes.reverse(),
            }
            b.emit1(Op::Reshape { shape: sizes.into() }, &[x])
        }
        11 if rank < 4 => {
            let place = random.below(rank + 1);
            let extent = random.pick(&EXTENTS);
            b.broadcast_axis(x, place, extent)
        }
        12 => {
            let bounds: Vec<(usize, usize)> = aval
                .shape
                .iter()
                .map(|&extent| {
                    let (a, b) = (random.below(extent + 1), random.below(extent + 1));
                    (a.min(b), a.max(b))
                })
                .collect();
            let strides = (0..rank).map(|_| 1 + random.below(2)).collect();
            let (starts, limits) = bounds.into_iter().unzip();
            b.emit1(Op::Slice(Slice { starts, limits, strides }), &[x])
        }
        13 => {
            let value = operand(b, pool, &Aval::scalar(dtype), random);
            let dims = |random: &mut Random| PadDim {
                low: random.below(4) as i64 - 1,
                high: random.below(4) as i64 - 1,
                interior: random.below(5) / 4,
            };
            let padding: Vec<PadDim> = (0..rank).map(|_| dims(random)).collect();
            match b.try_emit(Op::Pad { padding }, &[x, value]) {
                Ok(outputs) => outputs[0],
                Err(_) => return,
            }
        }
        14 if rank > 0 => {
            let y = operand(b, pool, &aval, random);
            b.emit1(Op::Concatenate { axis: random.below(rank) }, &[x, y, x])
        }
        15 => b.emit1(Op::Reverse { axes }, &[x]),
        16 => {
            let reducers: &[Reducer] = if dtype.is_float() {
                &[Reducer::Sum, Reducer::Max, Reducer::Min, Reducer::Prod]
            } else {
                Reducer::ALL
            };
            b.emit1(Op::Reduce { reducer: random.pick(reducers), axes }, &[x])
        }
        _ if rank >= 1 && dtype != DType::Bool => {
            // A dot with some value that shares an extent.
            let axis = random.below(rank);
            let partners: Vec<(Atom, usize)> = pool
                .iter()
                .filter(|&&y| b.dtype(y) == dtype)
                .flat_map(|&y| (0..b.shape(y).rank()).map(move |other| (y, other)))
                .filter(|&(y, other)| b.shape(y)[other] == aval.shape[axis])
                .collect();
            let (y, other) = random.pick(&partners);
            if rank + b.shape(y).rank() > 5 {
                return;
            }
            b.dot_general(x, y, (&[axis], &[other]), (&[], &[]), dtype)
        }
        _ => return,
    };
    if b.aval(y).size() <= 4000 {
        pool.push(y);
    }
}

fn program(seed: usize, dtypes: &[DType], smooth: bool) -> Program {
    let mut random = Random(seed as u64);
    let mut b = Builder::new();
    let mut pool: Vec<Atom> = Vec::new();
    let common = shape(&mut random);
    for i in 0..4 {
        let shape = if i < 3 { common.clone() } else { shape(&mut random) };
        pool.push(b.input(Aval::new(random.pick(dtypes), shape)));
    }
    for _ in 0..5 + random.below(40) {
        grow(&mut b, &mut pool, smooth, &mut random);
    }
    let outputs = (0..3).map(|i| pool[pool.len() - 1 - i]).collect();
    b.finish(outputs)
}

fn inputs(program: &Program, seed: usize, tame: bool) -> Vec<Tensor> {
    let mut random = Random(seed as u64 ^ 0x5eed);
    let wild = [f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1.0, -1.0, 2.5, 1e-40, 3e38, -7.0];
    let tensor = |aval: &Aval| {
        let scalars: Vec<Scalar> = (0..aval.size())
            .map(|_| {
                let value = if tame { random.below(2001) as f64 / 1000.0 - 1.0 } else { random.pick(&wild) };
                if aval.dtype.is_integer() {
                    Scalar::from_i64(aval.dtype, random.below(1 << 40) as i64)
                } else {
                    Scalar::from_f64(aval.dtype, value)
                }
            })
            .collect();
        with_element!(aval.dtype, T => {
            Tensor::from_vec(aval.shape.clone(), scalars.iter().map(|s| s.get::<T>()).collect())
        })
    };
    program.in_avals().iter().map(tensor).collect()
}

fn options(tier: Tier) -> Options {
    Options { tier, ..Options::default() }
}

#[test]
fn strict_simplification_keeps_every_bit() {
    for seed in 0..400 {
        let before = program(seed, &[DType::F32, DType::I32, DType::Bool, DType::BF16, DType::I8], false);
        verify(&before).expect("well formed");
        let after = simplify(&before, &options(Tier::Strict)).expect("simplifies");
        verify(&after).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{before}\n{after}"));
        assert!(cost(&after).flops <= cost(&before).flops, "seed {seed}");
        let inputs = inputs(&before, seed, false);
        let (expected, found) = (eval(&before, &inputs).expect("runs"), eval(&after, &inputs).expect("runs"));
        for (output, (f, e)) in found.iter().zip(&expected).enumerate() {
            for i in 0..e.shape().size() {
                let (x, y) = (f.get(i), e.get(i));
                let nan = |s: Scalar| s.to_f64().is_nan();
                let place = || format!("seed {seed}, output {output}, element {i}: {x:?}, was {y:?}");
                assert!(x == y || nan(x) && nan(y), "{}\n{before}\n{after}", place());
            }
        }
    }
}

#[test]
fn default_simplification_stays_within_rounding() {
    for seed in 1000..1400 {
        let before = program(seed, &[DType::F64], true);
        let after = simplify(&before, &options(Tier::Default)).expect("simplifies");
        verify(&after).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{before}\n{after}"));
        assert!(cost(&after).flops <= cost(&before).flops, "seed {seed}");
        let inputs = inputs(&before, seed, true);
        let (expected, found) = (eval(&before, &inputs).expect("runs"), eval(&after, &inputs).expect("runs"));
        for (f, e) in found.iter().zip(&expected) {
            let values = |t: &Tensor| (0..t.shape().size()).map(|i| t.get(i).to_f64()).collect::<Vec<_>>();
            let (f, e) = (values(f), values(e));
            let scale = e.iter().filter(|v| v.is_finite()).fold(1.0, |a: f64, b| a.max(b.abs()));
            for (f, e) in f.iter().zip(&e) {
                let close = (f - e).abs() <= 1e-9 * scale || f.is_nan() && e.is_nan() || f == e;
                assert!(close, "seed {seed}: {f}, was {e}\n{before}\n{after}");
            }
        }
    }
}

#[test]
fn the_same_program_comes_out_every_time() {
    for seed in 0..60 {
        let before = program(seed, &[DType::F32, DType::I32], false);
        for tier in Tier::ALL {
            let first = simplify(&before, &options(tier)).expect("simplifies");
            assert_eq!(first, simplify(&before, &options(tier)).expect("simplifies"), "seed {seed}");
            let narrow = Options { window: 3, ..options(tier) };
            let windowed = simplify(&before, &narrow).expect("simplifies");
            verify(&windowed).unwrap_or_else(|e| panic!("seed {seed} in windows of 3: {e}"));
        }
    }
}
