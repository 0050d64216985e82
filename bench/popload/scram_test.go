package main

import "testing"

// The exchange of RFC 7677 §3.
func TestScram(t *testing.T) {
	t.Parallel()
	const nonce = "rOprNGfwEbeRWgbNEkqO"
	final, signature, err := respond("n=user,r="+nonce, nonce, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "pencil")
	if err != nil {
		t.Fatal(err)
	}
	const wantFinal = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if final != wantFinal {
		t.Errorf("final message %q, want %q", final, wantFinal)
	}
	if want := "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="; signature != want {
		t.Errorf("server signature %q, want %q", signature, want)
	}
	for _, challenge := range []string{"", "r=other,s=AA==,i=1", "r=" + nonce + "x,s=?,i=1", "r=" + nonce + "x,s=AA==,i=x"} {
		if _, _, err := respond("n=user,r="+nonce, nonce, challenge, "pencil"); err == nil {
			t.Errorf("challenge %q was taken", challenge)
		}
	}
}
