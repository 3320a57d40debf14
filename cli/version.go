package cli

import (
	"runtime"
	"runtime/debug"
)

var versionVerb = verb{
	name:     "version",
	short:    "print the version, without loading the runtime",
	examples: []string{"graft version", "graft version --json"},
	run:      runVersion,
}

// versionInfo is the document of graft version --json.
type versionInfo struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	CGO      bool   `json:"cgo"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
}

func runVersion(c *call) error {
	v := readVersion()
	c.JSON(v)
	c.Print("graft %s", v.Version)
	c.Print("go %s, %s, cgo %s", v.Go, v.Platform, onOff(v.CGO))
	if v.Revision != "" {
		modified := ""
		if v.Modified {
			modified = ", modified"
		}
		c.Print("revision %s, %s%s", v.Revision, v.Time, modified)
	}
	return nil
}

// readVersion takes everything from the build information in the binary.
func readVersion() versionInfo {
	v := versionInfo{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "CGO_ENABLED":
			v.CGO = s.Value == "1"
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
