export { GroupCoordinator, type GroupMembership } from './group-coordinator.ts'
