package training

import (
	"graft/runtime"
	"graft/training/autodiff"
)

// deviceOf is the device that forms of gradients are chosen for when a provider, by short or full name, runs them.
func deviceOf(provider string) autodiff.Device {
	if runtime.ProviderName(provider) == "CUDAExecutionProvider" {
		return autodiff.CUDA
	}
	return autodiff.CPU
}

// MadeFor is the full name of the provider that the artifacts were made for: they run on every one, and are the fastest there.
func (c *Contract) MadeFor() string { return runtime.ProviderName(c.Provider) }
