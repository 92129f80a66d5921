// Modules that can be read and that import refuses. Each begins with what the error says.

// -----
// gather: index_vector_dim 4 of indices i32[2,3,1]
func.func public @main(%x: tensor<4x3xi16>, %i: tensor<2x3x1xi32>) -> tensor<3x2x3xi16> {
  %0 = "stablehlo.gather"(%x, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [0], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 4>, indices_are_sorted = false, slice_sizes = array<i64: 1, 3>}> : (tensor<4x3xi16>, tensor<2x3x1xi32>) -> tensor<3x2x3xi16>
  return %0 : tensor<3x2x3xi16>
}

// -----
// sort: dimension 2 of operands of rank 1
func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.sort"(%x) <{dimension = 2 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = stablehlo.compare LT, %b, %a : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
// sort: expected a comparator of two scalars for each operand
func.func public @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = "stablehlo.sort"(%x, %y) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = stablehlo.compare LT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----
// sort: a comparator with loops or arrays is not supported
func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.sort"(%x) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %n = stablehlo.constant dense<1> : tensor<i32>
    %r = stablehlo.while(%i = %n) : tensor<i32>
    cond {
      %t = stablehlo.compare EQ, %i, %i : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %t : tensor<i1>
    } do {
      stablehlo.return %i : tensor<i32>
    }
    %c = stablehlo.compare LT, %r, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
// power: expected exponents of type i32[4], found i32[3]
func.func public @main(%x: tensor<4xi32>, %y: tensor<3xi32>) -> tensor<4xi32> {
  %0 = "stablehlo.power"(%x, %y) : (tensor<4xi32>, tensor<3xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----
// convert: expected one operand, found 0
func.func public @main() -> tensor<4xf32> {
  %0 = "stablehlo.convert"() : () -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
// compare: expected two operands
func.func public @main() -> tensor<4xi1> {
  %0 = "stablehlo.compare"() <{comparison_direction = #stablehlo<comparison_direction LT>}> : () -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// -----
// case: expected an index i32[] and branches, found f32[] and 1
func.func public @main(%x: tensor<f32>) -> tensor<f32> {
  %0 = "stablehlo.case"(%x) ({
    stablehlo.return %x : tensor<f32>
  }) : (tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----
// if: a branch has arguments
func.func public @main(%x: tensor<i1>) -> tensor<f32> {
  %0 = "stablehlo.if"(%x) ({
  ^bb0(%a: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }, {
  ^bb0(%a: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<i1>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----
// while: the condition takes other arguments than the operands
func.func public @main(%x: tensor<i32>) -> tensor<i32> {
  %n = stablehlo.constant dense<3> : tensor<i32>
  %0 = "stablehlo.while"(%x) ({
  ^bb0(%a: tensor<f32>, %i: tensor<i32>):
    %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }, {
  ^bb0(%i: tensor<i32>):
    stablehlo.return %i : tensor<i32>
  }) : (tensor<i32>) -> tensor<i32>
  return %0 : tensor<i32>
}

// -----
// while: the body returns other values than it takes
func.func public @main(%x: tensor<i32>) -> tensor<i32> {
  %n = stablehlo.constant dense<3> : tensor<i32>
  %0 = "stablehlo.while"(%x) ({
  ^bb0(%i: tensor<i32>):
    %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }, {
  ^bb0(%i: tensor<i32>):
    stablehlo.return
  }) : (tensor<i32>) -> tensor<i32>
  return %0 : tensor<i32>
}

// -----
// reduce_window: expected operands of the window's 1 axes
func.func public @main(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %z) <{window_dimensions = array<i64: 4>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = stablehlo.add %a, %b : tensor<f32>
    stablehlo.return %c : tensor<f32>
  }) : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----
// custom_call: expected a matrix, found f32[]
func.func public @main(%x: tensor<f32>) -> tensor<f32> {
  %0 = "stablehlo.custom_call"(%x) <{call_target_name = "lapack_sgtsv_ffi"}> : (tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}
