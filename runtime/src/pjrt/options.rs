//! Compile options: a protocol buffer, of which a few fields are written.

/// One field of the message: its number and a value as a varint.
fn field(bytes: &mut Vec<u8>, number: u64, value: u64) {
    varint(bytes, number << 3);
    varint(bytes, value);
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// `CompileOptionsProto` with `ExecutableBuildOptions { num_replicas, num_partitions, use_spmd_partitioning }`.
pub fn compile_options(replicas: usize, partitions: usize) -> Vec<u8> {
    let mut build = vec![];
    field(&mut build, 4, replicas.max(1) as u64);
    field(&mut build, 5, partitions.max(1) as u64);
    if partitions > 1 {
        field(&mut build, 6, 1);
    }
    let mut bytes = vec![];
    varint(&mut bytes, 3 << 3 | 2);
    varint(&mut bytes, build.len() as u64);
    bytes.extend(build);
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_replica_is_six_bytes() {
        assert_eq!(super::compile_options(1, 1), [0x1a, 4, 0x20, 1, 0x28, 1]);
        assert_eq!(super::compile_options(300, 1), [0x1a, 5, 0x20, 0xac, 2, 0x28, 1]);
        assert_eq!(super::compile_options(1, 4), [0x1a, 6, 0x20, 1, 0x28, 4, 0x30, 1]);
    }
}
