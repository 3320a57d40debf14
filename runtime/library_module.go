package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"time"
)

// The Go modules that carry ONNX Runtime, one for each system, and the sums of their contents as in go.sum.
const (
	modulePrefix  = "github.com/k2-fsa/sherpa-onnx-go-"
	moduleVersion = "v1.13.8"
	moduleORT     = "1.28.2" // the version of ONNX Runtime inside
)

var moduleSums = map[string]string{
	"linux":   "h1:33xcR9pYuD/VZ2luCWP1PJ4uLLeYM0i5GWGgM1lZjP8=",
	"macos":   "h1:TQFOntGvoH+L+9HpmKukq6cDag674W7YQr3680KK0Q8=",
	"windows": "h1:PjALQ7qHH6wmGyVeHMhGESh+EAtC/24rzZIth4PXcEs=",
}

// moduleFolders are the modules' folders by system and architecture.
var moduleFolders = map[string]string{
	"linux/amd64":   "x86_64-unknown-linux-gnu",
	"linux/arm64":   "aarch64-unknown-linux-gnu",
	"linux/arm":     "arm-unknown-linux-gnueabihf",
	"darwin/amd64":  "x86_64-apple-darwin",
	"darwin/arm64":  "aarch64-apple-darwin",
	"windows/amd64": "x86_64-pc-windows-gnu",
	"windows/arm64": "aarch64-pc-windows-gnu",
	"windows/386":   "i686-pc-windows-gnu",
}

// moduleFetchLimit bounds one call of the go command.
const moduleFetchLimit = 15 * time.Minute

// moduleLibrary is the library inside the Go module for this system. It asks the go command, first without the network;
// with fetch also with it, after telling log. On failure path is empty and tried says why.
func moduleLibrary(fetch bool, log func(string)) (path string, tried Place) {
	target, ok := moduleFolders[goruntime.GOOS+"/"+goruntime.GOARCH]
	system := goruntime.GOOS
	if system == "darwin" {
		system = "macos"
	}
	module := modulePrefix + system + "@" + moduleVersion
	tried.Path = "Go module " + module
	if !ok {
		tried = Place{"Go modules", "none carries a library for " + goruntime.GOOS + "/" + goruntime.GOARCH}
		return "", tried
	}
	command, err := exec.LookPath("go")
	if err != nil {
		tried.Reason = "there is no go command to fetch it with"
		return "", tried
	}
	dir, err := downloadModule(command, module, moduleSums[system], false)
	if err != nil && fetch {
		if log != nil {
			log("fetching ONNX Runtime " + moduleORT + " (Go module " + module + ")")
		}
		dir, err = downloadModule(command, module, moduleSums[system], true)
	} else if err != nil {
		err = fmt.Errorf("not in the module cache")
	}
	if err != nil {
		tried.Reason = err.Error()
		return "", tried
	}
	return filepath.Join(dir, "lib", target, libraryName()), tried
}

// downloadModule has the go command put a module into its cache and gives its folder there, when its sum is the one wanted.
func downloadModule(command, module, sum string, network bool) (dir string, err error) {
	work, err := os.MkdirTemp("", "graft-module-") // outside of any module, whose go.mod would have its say
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	ctx, cancel := context.WithTimeout(context.Background(), moduleFetchLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, "mod", "download", "-json", module)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "GO111MODULE=on", "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local", "PWD="+work)
	if !network {
		cmd.Env = append(cmd.Env, "GOPROXY=off")
	}
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	runErr := cmd.Run()
	var result struct{ Dir, Sum, Error string }
	decodeErr := json.Unmarshal(out.Bytes(), &result)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("go mod download took longer than %v", moduleFetchLimit)
	case result.Error != "":
		return "", fmt.Errorf("go mod download: %s", oneLine(result.Error))
	case runErr != nil:
		return "", fmt.Errorf("go mod download: %v: %s", runErr, oneLine(messages.String()))
	case decodeErr != nil:
		return "", fmt.Errorf("go mod download: %w", decodeErr)
	case result.Sum != sum:
		return "", fmt.Errorf("its sum is %s, %s is expected", oneLine(result.Sum), sum)
	}
	return result.Dir, nil
}
