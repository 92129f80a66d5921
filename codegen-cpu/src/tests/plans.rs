//! Programs whose plan has a special form for large arrays, against the meaning of their ops.

use rjax_ir::{
    ArgReduce, Aval, Builder, Combiner, DType, IndexMode, Op, Program, Reducer, Scalar, Scatter, Tensor, Unary, eval,
    with_element,
};
use rjax_kernel::{Options as Planning, interpret, plan};

use super::build;

/// Values with ties and, for floats, both zeros.
fn values(aval: &Aval, seed: usize) -> Tensor {
    with_element!(aval.dtype, T => {
        let value = |i: usize| {
            let x = ((i * 7919 + seed) % 1013) as f64 - 500.0;
            Scalar::from_f64(aval.dtype, if aval.dtype == DType::Bool { (x > 0.0) as u8 as f64 } else { x / 4.0 }).get::<T>()
        };
        Tensor::from_vec(aval.shape.clone(), (0..aval.size()).map(value).collect::<Vec<T>>())
    })
}

/// Compiled and interpreted plans agree with the program to the bit.
fn check(program: &Program, inputs: &[Tensor]) -> rjax_kernel::kir::Module {
    let module = plan(program, &Planning::default()).unwrap_or_else(|error| panic!("{error}"));
    let expected = eval(program, inputs).expect("evaluates");
    for (how, found) in
        [("compiled", build(&module).call(inputs).expect("runs")), ("interpreted", interpret(&module, inputs))]
    {
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.bits_equal(expected), "{how}: {found} for {expected}: {program}\n{module}");
        }
    }
    module
}

#[test]
fn large_transpositions() {
    let cases: [(&[usize], &[usize]); 7] = [
        (&[130, 145], &[1, 0]),
        (&[16, 1024], &[1, 0]),
        (&[3, 70, 90], &[0, 2, 1]),
        (&[70, 3, 90], &[2, 1, 0]),
        (&[5, 33, 7, 17], &[3, 1, 0, 2]),
        (&[9000, 2], &[1, 0]),
        (&[20, 30, 40], &[0, 2, 1]),
    ];
    for (i, (shape, permutation)) in cases.into_iter().enumerate() {
        for dtype in [DType::F32, [DType::F64, DType::BF16, DType::U8, DType::Bool, DType::C64][i % 5]] {
            let mut b = Builder::new();
            let x = b.input(Aval::new(dtype, shape));
            let y = b.transpose(x, permutation);
            let z = b.transpose(x, permutation);
            let z = b.add(z, z);
            let aval = b.aval(x);
            let module = check(&b.finish(vec![y, z]), &[values(&aval, 1)]);
            let expected = !dtype.is_complex();
            assert_eq!(module.to_string().contains("  transpose "), expected, "{module}");
        }
    }
}

/// Rolls along each axis, of which elementwise kernels read the parts where they are, and rows of few elements, which are lanes.
#[test]
fn rolled_arrays_and_short_rows() {
    for dtype in [DType::F32, DType::F64, DType::I32, DType::BF16, DType::C64] {
        let mut b = Builder::new();
        let x = b.input(Aval::new(dtype, [70, 130]));
        let mut sum = x;
        for (axis, at) in [(0, 1), (0, 69), (1, 3), (1, 127)] {
            let extent = [70, 130][axis];
            let parts = [b.slice_axis(x, axis, at, extent), b.slice_axis(x, axis, 0, at)];
            let rolled = b.concatenate(&parts, axis);
            sum = b.add(sum, rolled);
        }
        let aval = b.aval(x);
        let module = check(&b.finish(vec![sum]), &[values(&aval, 3)]);
        assert_eq!(module.kernels.len(), 1, "{module}");
    }
    for (dtype, len) in [DType::F32, DType::F64, DType::I32].into_iter().flat_map(|d| [2, 3, 5, 8].map(|n| (d, n))) {
        let mut b = Builder::new();
        let x = b.input(Aval::new(dtype, [75, len]));
        let most = b.reduce(Reducer::Max, x, &[1]);
        let first = b.emit1(Op::ArgReduce(ArgReduce { largest: true, axis: 1, index_dtype: DType::I32 }), &[x]);
        let aval = b.aval(x);
        check(&b.finish(vec![most, first]), &[values(&aval, 5)]);
    }
}

#[test]
fn extreme_positions() {
    for (dtype, shape) in [
        (DType::F32, &[135_000][..]),
        (DType::F32, &[3, 1000]),
        (DType::F64, &[70, 65]),
        (DType::I32, &[2, 65_536]),
        (DType::BF16, &[9, 200]),
        (DType::U8, &[2, 99]),
        (DType::I64, &[131_101]),
    ] {
        for largest in [true, false] {
            let mut b = Builder::new();
            let aval = Aval::new(dtype, shape);
            let x = b.input(aval.clone());
            let arg = ArgReduce { largest, axis: shape.len() - 1, index_dtype: DType::I32 };
            let y = b.emit1(Op::ArgReduce(arg), &[x]);
            let program = b.finish(vec![y]);
            check(&program, &[values(&aval, 5)]);
            check(&program, &[Tensor::full(shape, Scalar::least(dtype))]);
            if dtype == DType::F32 {
                let nan = values(&aval, 3).to_vec::<f32>();
                let nan = nan.iter().map(|&x| if x > 120.0 { f32::NAN } else { x }).collect::<Vec<_>>();
                check(&program, &[Tensor::from_vec(shape, nan)]);
            }
        }
    }
}

/// Whole numbers, so that every order of summation gives the same.
#[test]
fn long_reductions() {
    for (dtype, shape, axes) in [
        (DType::F32, &[1 << 17][..], &[0][..]),
        (DType::I32, &[131_101], &[0]),
        (DType::BF16, &[1024, 130], &[0]),
        (DType::F32, &[4, 1024, 40], &[1]),
        (DType::F32, &[1024, 2, 70], &[0, 1]),
        (DType::F64, &[2, 70_000], &[1]),
    ] {
        let mut b = Builder::new();
        let aval = Aval::new(dtype, shape);
        let x = b.input(aval.clone());
        let y = b.unary(Unary::Sign, x);
        let sum = b.reduce(Reducer::Sum, y, axes);
        let max = b.reduce(Reducer::Max, x, axes);
        check(&b.finish(vec![sum, max]), &[values(&aval, 7)]);
    }
}

/// Shapes of array, indices and updates, the axes of a scatter, and the extent that threads share.
struct Scattered {
    shapes: [&'static [usize]; 3],
    windows: &'static [usize],
    inserted: &'static [usize],
    batching: &'static [usize],
    scattered: usize,
    shared: usize,
}

/// Some indices are out of bounds; sums of quarters are the same in any order.
#[test]
fn scatters_that_threads_share() {
    let cases = [
        Scattered {
            shapes: [&[100], &[1 << 17, 1], &[1 << 17]],
            windows: &[],
            inserted: &[0],
            batching: &[],
            scattered: 0,
            shared: 8,
        },
        Scattered {
            shapes: [&[50, 256], &[40, 1], &[40, 256]],
            windows: &[1],
            inserted: &[0],
            batching: &[],
            scattered: 0,
            shared: 4,
        },
        Scattered {
            shapes: [&[6, 9], &[6, 20, 1], &[6, 20]],
            windows: &[],
            inserted: &[1],
            batching: &[0],
            scattered: 1,
            shared: 6,
        },
        // Windows that overlap.
        Scattered {
            shapes: [&[300], &[30, 1], &[30, 128]],
            windows: &[1],
            inserted: &[],
            batching: &[],
            scattered: 0,
            shared: 1,
        },
    ];
    for case in &cases {
        for dtype in [DType::F32, DType::I32, DType::BF16, DType::C64] {
            for combiner in [Combiner::Add, Combiner::Max, Combiner::Replace] {
                if dtype.is_complex() && combiner == Combiner::Max {
                    continue;
                }
                let [x, indices, updates] =
                    [(dtype, 0), (DType::I32, 1), (dtype, 2)].map(|(dtype, i)| Aval::new(dtype, case.shapes[i]));
                let mut b = Builder::new();
                let inputs = [&x, &indices, &updates].map(|aval| b.input(aval.clone()));
                let scatter = Scatter {
                    combiner,
                    update_window_dims: case.windows.to_vec(),
                    inserted_window_dims: case.inserted.to_vec(),
                    operand_batching_dims: case.batching.to_vec(),
                    scatter_indices_batching_dims: case.batching.to_vec(),
                    scatter_dims_to_operand_dims: vec![case.scattered],
                    mode: IndexMode::FillOrDrop,
                    unique_indices: false,
                    indices_are_sorted: false,
                };
                let y = b.emit1(Op::Scatter(scatter), &inputs);
                let program = b.finish(vec![y]);
                let extent = case.shapes[0][case.scattered];
                let places = (0..indices.size()).map(|i| (i * 7919 % (extent + 9)) as i32 - 4).collect::<Vec<_>>();
                let places = Tensor::from_vec(indices.shape.clone(), places);
                let module = check(&program, &[values(&x, 5), places, values(&updates, 3)]);
                if dtype == DType::F32 && combiner == Combiner::Add {
                    let shared = format!("gather-scatter %0..%1 of {} ", case.shared);
                    assert!(module.to_string().contains(&shared), "{module}");
                    let nowhere = Tensor::full(indices.shape.clone(), Scalar::new(1000_i32));
                    let zeros = Tensor::full(x.shape.clone(), Scalar::new(-0.0_f32));
                    check(&program, &[zeros, nowhere, values(&updates, 3)]);
                }
            }
        }
    }
}
