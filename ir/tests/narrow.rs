//! Types that values are only stored in: their values and rounding against ml_dtypes, and arithmetic between conversions.

use rjax_ir::math::{Wide, decode, encode};
use rjax_ir::{
    Aval, Binary, Builder, Compare, DType, DotGeneral, Narrow, Op, Precision, Program, Reducer, Scalar, Tensor, eval,
    verify,
};

const VALUES: &str = include_str!("narrow.txt");

fn rows(kind: &str) -> impl Iterator<Item = (Narrow, Vec<&str>)> {
    let lines = VALUES.lines().filter_map(move |line| line.strip_prefix(kind)?.strip_prefix(' '));
    lines.map(|line| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let narrow = Narrow::ALL.into_iter().find(|narrow| narrow.name() == name).expect("a narrow type");
        (narrow, words.collect())
    })
}

fn bits(hexadecimal: &str) -> u32 {
    u32::from_str_radix(hexadecimal, 16).expect("a hexadecimal number")
}

fn float(narrow: Narrow, byte: u8) -> f64 {
    match decode(narrow, byte) {
        Wide::Float(value) => value,
        other @ (Wide::Int(_) | Wide::Complex(_)) => panic!("{narrow:?} gives {other:?}"),
    }
}

#[test]
fn every_float_has_the_value_that_ml_dtypes_gives() {
    let mut formats = 0;
    for (narrow, words) in rows("decode") {
        assert_eq!(words.len(), 256);
        for (byte, word) in (0..=255u8).zip(words) {
            let value = float(narrow, byte);
            if word == "nan" {
                assert!(value.is_nan(), "{narrow:?} {byte:02x}");
            } else {
                assert_eq!((value as f32).to_bits(), bits(word), "{narrow:?} {byte:02x}");
                assert_eq!(encode(narrow, Wide::Float(value)), byte, "{narrow:?} {byte:02x} does not survive");
            }
        }
        formats += 1;
    }
    assert_eq!(formats, Narrow::ALL.into_iter().filter(|narrow| narrow.is_float()).count());
}

#[test]
fn floats_round_as_in_ml_dtypes() {
    for (narrow, words) in rows("encode") {
        for word in words {
            let (from, to) = word.split_once(':').expect("a pair");
            let x = f32::from_bits(bits(from));
            assert_eq!(encode(narrow, Wide::Float(x as f64)) as u32, bits(to), "{narrow:?} of {x:e}");
        }
    }
}

#[test]
fn integers_wrap_and_floats_saturate() {
    let cases = [
        (Narrow::I4, Wide::Int(8), -8),
        (Narrow::I4, Wide::Int(-9), 7),
        (Narrow::U4, Wide::Int(-1), 15),
        (Narrow::I2, Wide::Int(2), -2),
        (Narrow::U2, Wide::Int(7), 3),
        (Narrow::I4, Wide::Float(7.9), 7),
        (Narrow::I4, Wide::Float(1e30), 7),
        (Narrow::I4, Wide::Float(-8.7), -8),
        (Narrow::U4, Wide::Float(-3.0), 0),
        (Narrow::U4, Wide::Float(f64::NAN), 0),
    ];
    for (narrow, value, expected) in cases {
        assert_eq!(decode(narrow, encode(narrow, value)), Wide::Int(expected), "{value:?} as {narrow:?}");
    }
}

fn binary(dtype: DType, op: Binary) -> Program {
    let mut b = Builder::new();
    let [x, y] = [b.input(Aval::new(dtype, [4])), b.input(Aval::new(dtype, [4]))];
    let z = b.binary(op, x, y);
    let less = b.compare(Compare::Lt, x, y);
    let total = b.emit1(Op::Reduce { reducer: Reducer::Sum, axes: vec![0] }, &[z]);
    b.finish(vec![z, less, total])
}

fn tensor(dtype: DType, values: [f64; 4]) -> Tensor {
    Tensor::from_scalars(&Aval::new(dtype, [4]), &values.map(|value| Scalar::from_f64(dtype, value)))
}

fn values(x: &Tensor) -> Vec<f64> {
    (0..x.shape().size()).map(|i| x.get(i).to_f64()).collect()
}

#[test]
fn arithmetic_is_done_on_the_wide_type_and_rounded() {
    let dtype = DType::Narrow(Narrow::F8E4M3FN);
    let program = binary(dtype, Binary::Mul);
    verify(&program).expect("verifies");
    assert_eq!(program.out_avals()[0].dtype, dtype);
    let inputs = [tensor(dtype, [1.0, 1.125, 20.0, 0.5]), tensor(dtype, [2.0, 1.125, 32.0, -0.25])];
    let found = eval(&program, &inputs).expect("runs");
    // 1.265625 rounds to 1.25; 640 is beyond the greatest number.
    let products = values(&found[0]);
    assert_eq!((products[0], products[1], products[3]), (2.0, 1.25, -0.125));
    assert!(products[2].is_nan() && values(&found[2])[0].is_nan());
    assert_eq!(values(&found[1]), [1.0, 0.0, 1.0, 0.0]);

    let dtype = DType::Narrow(Narrow::I4);
    let x = tensor(dtype, [7.0, -8.0, 3.0, 0.0]);
    let found = eval(&binary(dtype, Binary::Add), &[x.clone(), x]).expect("runs");
    assert_eq!(values(&found[0]), [-2.0, 0.0, 6.0, 0.0], "sums of 4-bit integers wrap");
}

#[test]
fn products_of_floats_accumulate_in_f32() {
    let dtype = DType::Narrow(Narrow::F8E5M2);
    let mut b = Builder::new();
    let x = b.input(Aval::new(dtype, [4]));
    let dot = |preferred| {
        Op::DotGeneral(DotGeneral {
            lhs_contracting: vec![0],
            rhs_contracting: vec![0],
            lhs_batch: vec![],
            rhs_batch: vec![],
            precision: Precision::Default,
            preferred,
        })
    };
    let [narrow, wide] = [dtype, DType::F32].map(|preferred| b.emit1(dot(preferred), &[x, x]));
    let found = eval(&b.finish(vec![narrow, wide]), &[tensor(dtype, [1.0, 0.25, 0.25, 0.25])]).expect("runs");
    assert_eq!(values(&found[1]), [1.1875]);
    assert_eq!(values(&found[0]), [1.25], "the sum is rounded once");
}

#[test]
fn arithmetic_written_on_narrow_types_is_refused() {
    let text = "{ lambda ; a:f8e4m3fn[2]. let b:f8e4m3fn[2] = add a a in (b,) }";
    let program = Program::parse(text, "narrow").expect("parses");
    let error = verify(&program).expect_err("no sums of narrow types").to_string();
    assert!(error.contains("add: expected one of bool, i8,") && error.contains("found f8e4m3fn[2]"), "{error}");
}
