//! Devices of PJRT plugins. `RJAX_PJRT_PLUGIN` names one; without it only what needs none is tested.

use rjax::prelude::*;

fn plugin() -> Option<Device> {
    if std::env::var_os("RJAX_PJRT_PLUGIN").is_none() {
        eprintln!("skipped: RJAX_PJRT_PLUGIN names no plugin");
        return None;
    }
    Some(Device::parse("pjrt").expect("the plugin has a device"))
}

#[test]
fn devices_that_are_not_there_are_errors() {
    let error = Device::pjrt("no/such/plugin.so").expect_err("there is none").message;
    assert_eq!(error, "pjrt: no/such/plugin.so: No such file or directory (os error 2)");
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let error = Device::pjrt(text).expect_err("it is a text").message;
    assert!(error.starts_with(&format!("pjrt: {text}: the library cannot be loaded: ")), "{error}");
    let lowered = jit(|x: &Array| x + 1.0).lower((&Array::spec(DType::F32, []),)).expect("it can be traced");
    let error = lowered.compile_for("v9:2x2").expect_err("there is none").message;
    assert!(error.starts_with("tpu: `v9:2x2` names no generation of TPUs; "), "{error}");
}

#[test]
fn arrays_stay_on_the_device_until_they_are_moved() {
    let Some(device) = plugin() else { return };
    let x = jnp::array([1.0f32, 2.0, 3.0]);
    let f = jit(|x: &Array| x.sin() * 2.0);
    let expected = f(&x);
    assert_eq!(expected.device(), Some(Device::Cpu));
    let y = f.clone().on(device)(&x);
    assert_eq!((x.device(), y.device()), (Some(Device::Cpu), Some(device)));
    assert!(jnp::allclose(y.to_device(Device::Cpu), &expected, 1e-6, 1e-6).item::<bool>());
    // Computations go where their operands are: ops one by one, functions, their gradients.
    let there = x.to_device(device);
    assert_eq!((&there + &x).device(), Some(device));
    assert_eq!(f(&there).device(), Some(device));
    let slope = grad(|x: &Array| (x * x).sum(..))(&there);
    assert_eq!((slope.device(), slope.to_vec::<f32>()), (Some(device), vec![2.0, 4.0, 6.0]));
    assert_eq!(f.cache_misses(), 2);
    y.block_until_ready();
    let host = y.to_device(Device::Cpu);
    assert_eq!((host.device(), host.to_vec::<f32>()), (Some(Device::Cpu), y.to_vec::<f32>()));
}

#[test]
fn donated_arrays_are_taken_and_shared_ones_are_kept() {
    let Some(device) = plugin() else { return };
    let step = jit(|state: &Array, x: &Array| state + x).donate(axes![0, _]).on(device);
    let one = jnp::ones([1000], DType::F32).to_device(device);
    let mut state = jnp::zeros([1000], DType::F32).to_device(device);
    for _ in 0..3 {
        let before = state.clone();
        state = step(&before, &one);
        assert!(before.is_deleted());
    }
    assert_eq!(state.to_vec::<f32>(), [3.0; 1000]);
    // Both arguments are one array, of which only one is given up.
    let error = step.try_call((&one, &one)).err();
    assert!(error.is_some_and(|e| e.message.contains("was donated")));
}

#[test]
fn collectives_of_a_mesh_are_between_replicas() {
    let f = jit(|x: &Array| lax::psum(x, "data"));
    let lowered =
        f.lower_on_mesh(&[("data", 2), ("model", 3)], (&Array::spec(DType::F32, [4]),)).expect("it is traced");
    let text = lowered.stablehlo().expect("it is exported");
    assert!(text.contains("dense<[[0, 3], [1, 4], [2, 5]]>"), "{text}");
    assert!(text.contains("mhlo.num_replicas = 6"), "{text}");
}

/// With `TPU_LIBRARY_PATH` naming libtpu a data-parallel training step is compiled for four TPUs.
#[test]
fn a_data_parallel_step_compiles_for_four_tpus() {
    if std::env::var_os("TPU_LIBRARY_PATH").is_none() {
        eprintln!("skipped: TPU_LIBRARY_PATH names no libtpu.so");
        return;
    }
    let loss = |w: &Array, x: &Array, y: &Array| (x.dot(w).tanh() - y).square().mean(..);
    let step = jit(move |w: &Array, x: &Array, y: &Array| w - lax::pmean(&grad(loss)(w, x, y), "data") * 0.1);
    let [w, x, y] = [[64, 8], [32, 64], [32, 8]].map(|shape| Array::spec(DType::F32, shape));
    let lowered = step.lower_on_mesh(&[("data", 4)], (&w, &x, &y)).expect("it is traced");
    let report = lowered.compile_for("v5e:2x2").expect("libtpu compiles it");
    assert!(report.cost_of("flops").is_some_and(|flops| flops > 0.0));
    assert!(report.memory.arguments > 0 && !report.executable.is_empty());
    assert!(report.optimized.is_some_and(|text| text.contains("all-reduce")));
}

/// One program on whole arrays, split over four TPUs by the compiler, which adds the communication.
#[test]
fn a_program_with_split_arguments_compiles_for_four_tpus() {
    if std::env::var_os("TPU_LIBRARY_PATH").is_none() {
        eprintln!("skipped: TPU_LIBRARY_PATH names no libtpu.so");
        return;
    }
    let layer = jit(|x: &Array, w: &Array| x.dot(w).tanh().sum(..));
    let [x, w] = [[64, 256], [256, 128]].map(|shape| Array::spec(DType::F32, shape));
    let lowered = layer.lower((&x, &w)).expect("it is traced");
    let lowered = lowered.in_shardings(&[("data", 2), ("model", 2)], &[&["data", ""], &["", "model"]]);
    let report = lowered.compile_for("v5e:2x2").expect("libtpu compiles it");
    let text = report.optimized.expect("libtpu shows its programs");
    assert!(text.contains("f32[32,256]") && text.contains("all-reduce"), "{text}");
}

#[test]
fn shardings_that_do_not_fit_are_errors() {
    let lowered = jit(|x: &Array| x + 1.0).lower((&Array::spec(DType::F32, [6]),)).expect("it is traced");
    let error =
        lowered.in_shardings(&[("data", 4)], &[&["data"]]).stablehlo().expect_err("6 is no multiple of 4").message;
    assert_eq!(error, "export: sharding of input 0: axis 0 of f32[6] cannot be split in 4 equal parts along data");
    let f = jit(|x: &Array| lax::psum(x, "data"));
    let lowered = f.lower_on_mesh(&[("data", 2)], (&Array::spec(DType::F32, [4]),)).expect("it is traced");
    let error =
        lowered.in_shardings(&[("data", 2)], &[&["data"]]).stablehlo().expect_err("it has a collective").message;
    assert!(error.starts_with("psum: a program whose inputs are split is one for all devices"), "{error}");
}
