package main

import "testing"

func TestCheck(t *testing.T) {
	document := []byte(`{"noisy_psnr": 20.5, "sparse_psnr_final": 23, "name": "x", "max_abs_diff": 2e-6}`)
	for statement, want := range map[string]bool{
		"sparse_psnr_final >= noisy_psnr + 2": true, "sparse_psnr_final >= noisy_psnr + 3": false,
		"max_abs_diff <= 1e-5": true, "max_abs_diff > 1e-5": false, "noisy_psnr = 20.5": true, "noisy_psnr < 20.5": false,
	} {
		if shown, ok, err := check(document, statement); err != nil || ok != want {
			t.Errorf("%s: %t, %v (%s)", statement, ok, err, shown)
		}
	}
	for _, statement := range []string{"missing >= 1", "name >= 1", "noisy_psnr", ""} {
		if _, ok, err := check(document, statement); err == nil || ok {
			t.Errorf("%q: accepted", statement)
		}
	}
	if _, _, err := check([]byte("{"), "a = 1"); err == nil {
		t.Error("broken document accepted")
	}
}
