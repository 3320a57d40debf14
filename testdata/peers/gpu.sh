#!/bin/bash
# Check and time graft on a GPU beside the CPU and PyTorch, on a machine that has neither Go nor a network.
#
#   testdata/peers/gpu.sh pack FOLDER [--arch 90]      where there are Go, pip, xz and a network
#   testdata/peers/gpu.sh run FOLDER RESULTS [--provider cuda|cpu] [--budget SECONDS] [--only PART,...] [--quick]
#   testdata/peers/gpu.sh table RESULTS
#   testdata/peers/gpu.sh long FOLDER RESULTS --data CIFAR [--model FILE --text FILE] [--seconds S] [--provider cuda|cpu] [...]
#   testdata/peers/gpu.sh oes FOLDER RESULTS --image FILE [--mask-seconds S] [--train-seconds S] [--provider cuda|cpu] [...]
#
# pack writes FOLDER/provider (ONNX Runtime's CUDA provider with the code of one generation of GPUs: 52 MB) and FOLDER/programs
# (the core library, graft, test binaries). run unpacks what it finds there, also in two calls where both are too much for one,
# and goes through the parts of gpu.py: each writes what it found to RESULTS/results.json and is passed over when it is there.
# It ends within the budget (540 seconds) with a table; called again it goes on. --provider cpu goes through the same parts
# without a device, holding the forms of gradients for CUDA to those for the CPU. oes does the same with the parts of gpu_oes.py,
# which learn a mask and train what it keeps at the paper's size, and long with those of gpu_long.py, which train ResNet-18 and a
# language model for as long as there is time.
#
# run wants a checkout, bash, xz and a Python with PyTorch ($PYTHON, else python3), in whose environment CUDA's and cuDNN's
# libraries lie. $GRAFT_GPU_WORK (/tmp/graft-gpu) is where it unpacks to.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
version=1.31.1
work=${GRAFT_GPU_WORK:-/tmp/graft-gpu}
python=${PYTHON:-python3}

die() { echo "gpu.sh: $2" >&2; exit "$1"; }
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit "$1"; }

pack() {
	local out=${1:?pack wants a folder} arch=90 wheel
	shift
	[[ ${1-} != --arch ]] || arch=${2:?--arch wants a generation such as 90}
	mkdir -p "$out/provider" "$out/programs"
	out=$(cd "$out" && pwd)
	local temporary
	temporary=$(mktemp -d)
	trap "rm -rf '$temporary'" EXIT
	if [[ ! -f $out/provider/libonnxruntime_providers_cuda.so.xz ]]; then
		wheel=${GRAFT_GPU_WHEEL-}
		if [[ -z $wheel ]]; then
			"$python" -m pip download -q --no-deps --only-binary :all: --python-version 3.12 --platform manylinux_2_28_x86_64 \
				-d "$temporary" "onnxruntime-gpu==$version"
			wheel=$(echo "$temporary"/*.whl)
		fi
		(cd "$temporary" && "$python" -m zipfile -e "$wheel" wheel)
		local libraries=$temporary/wheel/onnxruntime/capi
		"$python" "$here/slim_provider.py" "$libraries/libonnxruntime_providers_cuda.so" "$arch" "$temporary/slim.so"
		xz -T0 -c "$libraries/libonnxruntime.so.$version" >"$out/programs/libonnxruntime.so.$version.xz"
		xz -T0 -c "$libraries/libonnxruntime_providers_shared.so" >"$out/programs/libonnxruntime_providers_shared.so.xz"
		xz -T0 -c "$temporary/slim.so" >"$temporary/slim.so.xz"
		mv "$temporary/slim.so.xz" "$out/provider/libonnxruntime_providers_cuda.so.xz"
	fi
	cc -O2 -shared -fPIC -o "$temporary/libcuda_bus.so" "$here/cuda_bus.c" -ldl
	xz -c "$temporary/libcuda_bus.so" >"$out/programs/libcuda_bus.so.xz"
	cd "$root"
	export GOOS=linux GOARCH=amd64 CGO_ENABLED=1
	go build -trimpath -ldflags='-s -w' -o "$temporary/graft" .
	local package
	for package in runtime training training/autodiff training/oes; do
		go test -c -trimpath -ldflags='-s -w' -o "$temporary/${package##*/}.test" "./$package"
	done
	for file in graft runtime.test training.test autodiff.test oes.test; do
		xz -T0 -c "$temporary/$file" >"$out/programs/$file.xz"
	done
	du -sb "$out/provider" "$out/programs" | awk '{printf "%6.1f MB  %s\n", $1 / 1e6, $2}'
}

# unpack FOLDER: what lies there packed goes to $work, once for each version of a file.
unpack() {
	local file name
	mkdir -p "$work/lib" "$work/bin"
	for file in "$1"/*/*.xz "$1"/*.xz; do
		[[ -f $file ]] || continue
		name=$(basename "$file" .xz)
		local to=$work/bin/$name
		[[ $name != lib* ]] || to=$work/lib/$name
		if [[ ! -f $to || $file -nt $to ]]; then
			xz -dc "$file" >"$to.part"
			chmod +x "$to.part"
			mv "$to.part" "$to"
		fi
	done
}

# libraries adds the folders of CUDA's libraries in Python's environment to the search path.
libraries() {
	local found
	found=$("$python" - <<'END'
import glob, os, sys
folders = sorted({os.path.dirname(f) for p in sys.path for f in glob.glob(os.path.join(p, "nvidia", "*", "lib", "*.so*"))})
print(":".join(folders))
END
	)
	export LD_LIBRARY_PATH="$work/lib${found:+:$found}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

# device says in a line why there is no CUDA device; nothing where there is one.
device() {
	"$python" - <<'END'
try:
    import torch
except ImportError as e:
    print(f"{e}: PYTHON names a Python with PyTorch")
else:
    if not torch.version.cuda:
        print(f"PyTorch {torch.__version__} is built without CUDA")
    elif not torch.cuda.is_available():
        print("PyTorch sees no CUDA device: there is no GPU, or no driver for it")
END
}

# run SCRIPT FOLDER RESULTS ...
run() {
	local script=$1
	shift
	local folder=${1:?a packed folder is wanted} results=${2:?a folder for results is wanted} provider=cuda missing name why
	shift 2
	local -a more=("$@")
	for ((i = 0; i < ${#more[@]}; i++)); do
		case ${more[i]} in
		--provider) provider=${more[i + 1]:?--provider wants cuda or cpu} ;;
		--provider=*) provider=${more[i]#*=} ;;
		esac
	done
	[[ $provider == cuda || $provider == cpu ]] || die 2 "--provider $provider: wants cuda or cpu"
	mkdir -p "$results"
	unpack "$folder"
	missing=
	local -a wanted
	case $script in
	gpu.py) wanted=(bin/graft bin/runtime.test bin/training.test bin/autodiff.test) ;;
	gpu_oes.py) wanted=(bin/graft bin/oes.test) ;;
	*) wanted=(bin/graft) ;;
	esac
	for name in "lib/libonnxruntime.so.$version" "${wanted[@]}"; do
		[[ -f $work/$name ]] || missing+=" $name"
	done
	if [[ $provider == cuda ]]; then
		for name in lib/libonnxruntime_providers_shared.so lib/libonnxruntime_providers_cuda.so; do
			[[ -f $work/$name ]] || missing+=" $name"
		done
	fi
	if [[ -n $missing ]]; then
		die 3 "unpacked into $work, still missing:$missing; call again with a folder that has them"
	fi
	libraries
	if [[ $provider == cuda ]]; then
		why=$(device)
		if [[ -n $why ]]; then
			[[ $script != gpu.py ]] || "$python" "$here/gpu.py" --work "$work" --results "$results" --plan >&2 || true
			die 4 "nothing was run: $why"
		fi
	fi
	# In the libraries' folder under the name that graft looks for.
	ln -sf "libonnxruntime.so.$version" "$work/lib/libonnxruntime.so"
	exec "$python" "$here/$script" --work "$work" --results "$results" --root "$root" ${more[@]+"${more[@]}"}
}

case ${1-} in
pack) shift; pack "$@" ;;
run) shift; run gpu.py "$@" ;;
oes) shift; run gpu_oes.py "$@" ;;
long) shift; run gpu_long.py "$@" ;;
table) exec "$python" "$here/gpu.py" --results "${2:?table wants the folder of results}" --table ;;
-h | --help) usage 0 ;;
*) usage 2 ;;
esac
