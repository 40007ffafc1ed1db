# postgres_agent: our resident process of the guest, a static riscv64 program.

agent_inputs() {
  cat "$firmware_dir/stages/agent.sh" "$firmware_dir/agent/postgres_agent.c"
  riscv64-linux-gnu-gcc --version | head -n 1
  dpkg-query -W -f '${Package} ${Version}\n' libc6-dev-riscv64-cross
}

agent_build() {
  local out=$1
  (cd "$firmware_dir/agent" &&
    riscv64-linux-gnu-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -s -Wl,--build-id=none \
      -o "$out/postgres_agent" postgres_agent.c)
}
