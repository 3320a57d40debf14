package runtime

import (
	"fmt"
	"path/filepath"
	"slices"
)

// Information is what there is to know of ONNX Runtime on this machine.
type Information struct {
	Library   string   `json:"library"` // path; empty when there is none
	Source    string   `json:"source,omitempty"`
	Version   string   `json:"version"`
	API       int      `json:"api"`
	Providers []string `json:"providers"` // full names, as built into the library
	Devices   []Device `json:"devices"`
	Missing   []string `json:"missing"` // what would not work, each with the reason
}

// Device is hardware, with the provider that would use it: what ONNX Runtime itself sees, and NVIDIA's devices as their
// driver lists them, whether or not the library has a provider for them.
type Device struct {
	Provider   string `json:"provider"`
	Kind       string `json:"kind"` // cpu, gpu, npu
	Vendor     string `json:"vendor"`
	ID         *int   `json:"device_id,omitempty"`
	Name       string `json:"name,omitempty"`
	Memory     int64  `json:"memory,omitempty"`             // bytes
	Capability string `json:"compute_capability,omitempty"` // "9.0"
}

// Info looks for ONNX Runtime and describes it. Nothing is fetched. The description is always given; the error is that of
// FindLibrary, or of a provider asked for that is not there.
func Info(o Options) (*Information, error) {
	info := &Information{Providers: []string{}, Devices: []Device{}, Missing: []string{}}
	err := describe(info, o)
	if err != nil {
		info.Missing = append(info.Missing, err.Error())
	}
	return info, err
}

// setDevices adds NVIDIA's devices, and says what the providers of the library lack.
func (info *Information) setDevices(m machine) {
	driver, err := m.driver()
	if err == nil {
		for id, d := range driver.devices {
			info.Devices = append(info.Devices, Device{Provider: CUDA, Kind: "gpu", Vendor: "NVIDIA", ID: &id, Name: d.name, Memory: d.memory,
				Capability: fmt.Sprintf("%d.%d", d.major, d.minor)})
		}
	}
	dir := filepath.Dir(info.Library)
	for _, p := range info.Providers {
		for _, l := range m.lacking(p, dir) {
			info.Missing = append(info.Missing, fmt.Sprintf("%s: %s; %s", p, l.what, l.fix))
		}
		if path := providerLibrary(dir, p); path != "" && hasOwnLibrary[p] {
			if err := checkProviderVersion(path, p, info.Version); err != nil {
				info.Missing = append(info.Missing, fmt.Sprintf("%s: %v; %s", p, err, howToGet(p)))
			}
		}
	}
	if err == nil && len(driver.devices) > 0 && !slices.Contains(info.Providers, CUDA) {
		info.Missing = append(info.Missing, fmt.Sprintf("%s: it is not in this ONNX Runtime, and there is a device for it; %s", CUDA, howToGet(CUDA)))
	}
}

// setLibrary fills in what a library's check has shown.
func (info *Information) setLibrary(l Library) {
	info.Library, info.Source, info.Version = l.Path, l.Source, l.Version
	if api, ok := apiOf(l.Version); ok {
		info.API = api
	}
}
