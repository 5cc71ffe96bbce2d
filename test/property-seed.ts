import fc from 'fast-check'

// One seed for everybody, so that a red test is red for the next person too. Look further with
// FAST_CHECK_SEED=$RANDOM npx vitest run
fc.configureGlobal({ seed: Number(process.env['FAST_CHECK_SEED'] ?? 20_261_122) })
