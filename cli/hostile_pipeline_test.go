package cli

import (
	"os"
	"path/filepath"
	"testing"

	"graft/cli/pipeline/pipelinetest"
	"graft/onnx/limits/limitstest"
)

// Y: pipeline files, given to each verb that reads such.

var pipelineLines = []string{
	"pipeline run $DIR/hostile.yaml --out $OUT",
	"pipeline run $DIR/hostile.yaml --out $OUT --dry-run",
	"pipeline graph $DIR/hostile.yaml --format svg",
}

func TestHostilePipelines(t *testing.T) {
	list := files("hostile.yaml", pipelinetest.Hostile())
	refuseThrough(t, list, pipelineLines[0])
	refuseThrough(t, first(list), pipelineLines[1:]...)
}

// Y07: words that lead out of the folder of the pipeline, whether there is anything or not.
func TestHostilePipelinePaths(t *testing.T) {
	step := func(rest string) []byte { return []byte("steps: [{name: a, verb: check, " + rest + "}]\n") }
	list := files("hostile.yaml", []limitstest.Case{
		{ID: "Y07", What: "above", Bytes: step("args: ../secret.onnx"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "above by way of a folder", Bytes: step("args: sub/../../secret.onnx"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "above, nothing there", Bytes: step("args: ../nothing.onnx"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "absolute", Bytes: step("args: /etc/passwd"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "link", Bytes: step("args: link.onnx"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "by a folder that is a link", Bytes: step("args: linked/secret.onnx"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "flag", Bytes: step("args: model.onnx, flags: {custom-op-lib: ../evil.so}"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "flag that allows", Bytes: step("args: model.onnx, flags: {allow-external: /}"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "behind an equals sign", Bytes: []byte("steps: [{name: a, verb: run, args: model.onnx, flags: {input: x=../secret.onnx}}]\n"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "input", Bytes: []byte("inputs: {m: ../secret.onnx}\nsteps: [{name: a, verb: check, args: \"${inputs.m}\"}]\n"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "matrix", Bytes: []byte("matrix: {m: [../secret.onnx]}\nsteps: [{name: a, verb: check, args: \"${matrix.m}\"}]\n"), Want: "leads out of the pipeline's folder"},
		{ID: "Y07", What: "environment", Bytes: step(`args: "${HOME}"`), Want: "names no input, axis or step"},
		{ID: "Y07", What: "other program", Bytes: []byte("steps: [{name: a, verb: sh, args: x}]\n"), Want: "unknown verb"},
		{ID: "Y07", What: "pipeline in a pipeline", Bytes: []byte("steps: [{name: a, verb: pipeline run, args: hostile.yaml}]\n"), Want: "unknown verb"},
		{ID: "Y07", What: "where it is written", Bytes: step("args: model.onnx, flags: {out: ../x}"), Want: "an output is written"},
		{ID: "Y09", What: "octal is no truth", Bytes: step("args: model.onnx, alone: 0777"), Want: "wants true or false"},
		{ID: "Y09", What: "NaN is no truth", Bytes: step("args: model.onnx, cache: .nan"), Want: "wants true or false"},
		{ID: "Y09", What: "no is no truth", Bytes: step("args: model.onnx, allow-no: no"), Want: "wants true or false"},
		{ID: "Y09", What: "1e400 is no name", Bytes: []byte("steps: [{name: 1e400.., verb: check}]\n"), Want: "wants letters"},
	})
	for i := range list {
		make := list[i].make
		list[i].make = func(t testing.TB, folder string) {
			make(t, folder)
			file("secret.onnx", nil)(t, filepath.Dir(folder))
			for link, to := range map[string]string{"link.onnx": "../secret.onnx", "linked": ".."} {
				if err := os.Symlink(to, filepath.Join(folder, link)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	refuseThrough(t, list, pipelineLines...)
}
