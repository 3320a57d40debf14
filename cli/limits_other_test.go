//go:build !linux

package cli

func printLimits(c *call) error { return nil }
